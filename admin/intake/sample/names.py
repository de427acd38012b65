"""Personal names of the sample province: plausible, with the frequencies and the rarities of real ones.

Among them are what registers trip over: characters that GBK lacks, names with a middle dot, compound
surnames, names of two and of four characters. Any likeness to a living person is chance.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

_TABLE: Final = 4096

#: surname and its share in Hunan, per 10,000
_HAN: Final = """
刘900 李820 王560 张540 陈520 周480 黄400 杨390 彭330 罗310 谭260 唐250 曾240 肖230 邓230 何220 胡200
吴200 蒋160 文110 谢170 袁130 欧阳45 易90 段70 龙110 贺80 曹110 廖120 邹90 莫40 朱120 赵90 徐100 郭90
许70 汤60 戴60 钟70 毛40 尹70 夏60 宋60 方50 姚50 姜40 熊40 孙70 马50 高40 叶40 田60 向60 雷60 孟20
颜40 阳40 申40 康30 石50 龚50 成20 左30 游15 任30 范40 郑40 梁40 余50 丁30 魏30 秦25 江25 史15 陶30
万25 洪12 邱30 侯20 卢30 蔡40 贾10 武8 薛8 程25 沈20 韩15 冯25 董15 吕10 苏20 杜15 鲁10 柳15 祝10 席5
匡15 宁20 资8 樊12 皮8 粟10 楚8 聂25 符10 危5 晏10 凌12 瞿12 涂10 佘12 屈8 邝6 司马2 上官2 诸葛1 皇甫1
夏侯1
"""
#: surnames of peoples whose names look like those of their Han neighbours, by code of ethnicity
_OF_PEOPLES: Final = {
    "15": "彭200 向220 田200 覃120 冉40 张80 李60 王50 符30 罗30 杜20 黄30",
    "06": "龙220 石200 麻120 吴160 廖60 田80 杨120 滕60 张60 蓝20 唐40 梁30",
    "12": "杨300 吴180 石100 姚90 粟60 龙80 陆40 蒲60 张60 谢30",
    "13": "盘160 赵150 邓100 黄100 奉90 李120 郑50 冯40 蒋60 沈30",
    "14": "谷200 王120 钟100 熊60 刘60 赵40 杨60",
    "03": "马300 海40 杨60 丁60 蔡40 苏30 李60 米30",
    "05": "翦300",
    "22": "蓝120 雷120 钟100 盘20",
    "11": "关60 佟40 那20 金60 富10 赵40 王40",
    "08": "韦150 黄120 覃100 陆60 莫50",
}
_MALE_FIRST: Final = "子文俊志宇浩明建国伟家天泽嘉一思海永少晓俊博致鹏世正新立旭彦佳凯振成伯宏昊梓奕"
_MALE_SECOND: Final = "豪杰辉鹏涛轩宇强军勇斌超峰磊龙飞翔林华东明亮波凯健平康安阳航博文武毅恒哲彬浩锋成希"
_FEMALE_FIRST: Final = "雨思佳欣梦婷雅静紫晓诗子梓慧芷若嘉怡美丽海玉春秋艺心艳晨语依可文一书凌曼湘沁"
_FEMALE_SECOND: Final = "婷涵欣怡琪雯萍芳玲娟丽敏娜慧颖妮琳瑶洁莹倩晴霞蓉薇璇悦桐萱彤妍芸芬燕珍云兰湘茜"
_SINGLE: Final = {
    "1": "伟强磊勇杰涛斌波辉鹏超浩宇轩凯峰帅毅洋旭晨鑫龙林",
    "2": "婷静丽娟敏艳慧颖倩洁雪琳莹瑶玲芳蓉薇璐欣怡雯琪晴",
}
#: in GBK, but on few keyboards
_RARE: Final = "喆垚燚赟翀頔珺玥堃淼骉犇羿焱煊珮珣昱晟曌"
#: outside GBK: four bytes in GB 18030 (the first two), beyond the basic plane of Unicode (the others)
_RAREST: Final = "㛃㸌𬭎𫍯𬸣𣗋"
_FAR: Final = {  # names of two parts joined by a dot; the second is the father's
    "1": ("艾力", "吐尔逊", "买买提", "阿卜杜拉", "艾尼瓦尔", "玉素甫", "克里木", "迪力夏提"),
    "2": ("阿依古丽", "古丽娜尔", "迪丽娜尔", "帕提古丽", "热依汗", "米热古丽", "阿米娜", "祖丽菲娅"),
}
_FATHERS: Final = ("买买提", "艾合买提", "吐尔逊", "阿布都热合曼", "亚森", "热合曼", "依明", "玉苏普")
_TIBETAN: Final = {"1": ("扎西", "多吉", "才让", "索朗"), "2": ("卓玛", "央金", "拉姆", "措姆")}
_TIBETAN_SECOND: Final = {"1": ("次仁", "顿珠", "平措", "旺堆"), "2": ("央宗", "德吉", "曲珍", "白玛")}


def spread(weighted: Iterable[tuple[str, float]], size: int = _TABLE) -> list[str]:
    """A table of `size` entries in which each value has its share: drawing is then one look-up."""
    pairs = list(weighted)
    whole = sum(weight for _, weight in pairs)
    table: list[str] = []
    reached = 0.0
    for value, weight in pairs:
        reached += weight
        table.extend([value] * (round(reached / whole * size) - len(table)))
    return table


def _parsed(text: str) -> list[tuple[str, float]]:
    return [(word.rstrip("0123456789"), float(word.lstrip(word.rstrip("0123456789")))) for word in text.split()]


class Namer:
    """Draws names."""

    def __init__(self, random: Random) -> None:
        self._bits = random.getrandbits
        self._random = random
        han = spread(_parsed(_HAN))
        self._surnames: dict[str, list[str]] = {"": han}
        for people, text in _OF_PEOPLES.items():
            self._surnames[people] = spread(_parsed(text))
        self._given = {"1": self._pool("1"), "2": self._pool("2")}

    def _pool(self, sex: str) -> list[str]:
        """Given names of one sex; early ones of a list are commoner."""
        first, second = (_MALE_FIRST, _MALE_SECOND) if sex == "1" else (_FEMALE_FIRST, _FEMALE_SECOND)
        firsts, seconds = _falling(first), _falling(second)
        single = _falling(_SINGLE[sex])
        pool = []
        for _ in range(4 * _TABLE):
            chance = self._random.random()
            if chance < 0.14:
                pool.append(self._random.choice(single))
                continue
            one, two = self._random.choice(firsts), self._random.choice(seconds)
            pool.append(two + two if chance < 0.18 else one + two)
        return pool

    def draw(self, sex: str, people: str) -> str:
        """A name for somebody of this sex ("1", "2") and ethnicity (two digits)."""
        bits = self._bits
        given = self._given[sex][bits(14)]
        special = bits(12)
        if special < 14:
            given = given[0] + (_RAREST[special % 6] if special < 5 else _RARE[bits(8) % len(_RARE)])
        if people in ("17", "02") or (people == "05" and special % 2):
            return f"{self._choice(_FAR[sex])}·{self._choice(_FATHERS)}"
        if people == "04":
            return self._choice(_TIBETAN[sex]) + self._choice(_TIBETAN_SECOND[sex])
        return self._surnames.get(people, self._surnames[""])[bits(12)] + given

    def _choice(self, words: Sequence[str]) -> str:
        return words[self._bits(16) % len(words)]


def _falling(characters: str) -> list[str]:
    """Each character, the first ones several times as often as the last."""
    count = len(characters)
    return [character for at, character in enumerate(characters) for _ in range(1 + 4 * (count - at) // count)]
