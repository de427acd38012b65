"""Columns of the tables that offices exchange: our field, the heading people read, the national names.

The national set of tables exists in two generations, 2012 and 2017, which name some columns differently
(ZXDM and BYXXDM, SFZH and ZJHM, JTDZ and TXDZ, CSNY and CSRQ). A reader takes every spelling of a column in
every format; a writer uses the heading in csv and xlsx, the generation's name in DBF. Columns that the
national set lacks carry a name of our own in DBF and are marked `local`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

Generation = Literal[2012, 2017]
Kind = Literal["text", "date", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `width` counts bytes in GBK, as DBF does; `lines`: a cell may hold line breaks."""

    field: str
    heading: str
    dbf: str
    width: int
    kind: Kind = "text"
    decimals: int = 0
    required: bool = False
    dbf_2012: str = ""
    also: tuple[str, ...] = ()
    local: bool = False
    lines: bool = False

    def dbf_name(self, generation: Generation) -> str:
        """The column's name in a DBF table of one generation."""
        return self.dbf_2012 if generation == 2012 and self.dbf_2012 else self.dbf

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every heading under which the column is known."""
        known = (self.heading, self.field, self.dbf, self.dbf_2012, *self.also)
        return tuple(spelling for spelling in known if spelling)


def plain(heading: str) -> str:
    """A heading as it is compared: full width, blanks and case do not matter."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", heading)).casefold()


@dataclass(frozen=True)
class Layout:
    """The columns a kind of table may have. `name` is for messages and sheet names."""

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def by_spelling(self) -> Mapping[str, Column]:
        """Columns by every spelling, as `plain` leaves it."""
        return {plain(spelling): column for column in self.columns for spelling in column.spellings}

    @cached_property
    def by_field(self) -> Mapping[str, Column]:
        """Columns by our name."""
        return {column.field: column for column in self.columns}


REGIONS: Final = Layout(
    "地区",
    (
        Column("code", "地区代码", "DQDM", 6, required=True, local=True),
        Column("name", "地区名称", "DQMC", 60, required=True, local=True),
        Column("parent", "上级地区代码", "SJDQDM", 6, required=True, local=True),
        Column("level", "级别", "DQJB", 12, required=True, local=True),
    ),
)

#: Registration points: schools, and one point a county for those who left school.
SCHOOLS: Final = Layout(
    "报名点",
    (
        Column("code", "报名点代码", "BMDDM", 10, required=True, local=True, also=("学校代码", "XXDM")),
        Column("name", "报名点名称", "BMDMC", 60, required=True, local=True, also=("学校名称", "XXMC")),
        Column("county", "县市区代码", "DQDM", 6, required=True, local=True),
        Column("kind", "报名点类别", "BMDLB", 20, local=True),
        Column("contact", "联系人", "LXR", 30, local=True),
        Column("phone", "联系电话", "LXDH", 30, local=True),
    ),
)

#: T_BMK with what the service needs besides: point, class, scores, decisions, restrictions.
CANDIDATES: Final = Layout(
    "考生",
    (
        Column("candidate_no", "考生号", "KSH", 14, required=True),
        Column("signup_serial", "报名顺序号", "BMSXH", 12, local=True),
        Column("exam_card_no", "准考证号", "ZKZH", 13),
        Column("name", "姓名", "XM", 64, required=True),
        Column("name_unicode", "姓名(全字符)", "XMQZF", 128, local=True),
        Column("sex", "性别", "XBDM", 1, required=True, also=("性别代码",)),
        Column("birth_date", "出生日期", "CSRQ", 8, "date", required=True, dbf_2012="CSNY", also=("出生年月",)),
        Column("id_type", "证件类型", "ZJLXDM", 1),
        Column("id_no", "证件号码", "ZJHM", 18, required=True, dbf_2012="SFZH", also=("身份证号", "身份证号码")),
        Column("ethnicity", "民族", "MZDM", 2, required=True, also=("民族代码",)),
        Column("political_status", "政治面貌", "ZZMMDM", 2),
        Column("candidate_category", "考生类别", "KSLBDM", 1),
        Column("graduation_category", "毕业类别", "BYLBDM", 1),
        Column("school_code", "毕业学校代码", "BYXXDM", 10, dbf_2012="ZXDM"),
        Column("school_name", "毕业学校", "BYXXMC", 60, dbf_2012="ZXMC", also=("毕业学校名称",)),
        Column("point", "报名点代码", "BMDDM", 10, required=True, local=True),
        Column("class_no", "班级", "BJ", 8, required=True, local=True),
        Column("student_roll_no", "学籍号", "XJH", 19),
        Column("academic_test_no", "学考号", "HKKH", 12, also=("会考考号", "会考考号/学考号")),
        Column("exam_type", "考试类型", "KSLXDM", 1),
        Column("subject_class", "科类", "KLDM", 8, required=True, also=("科类代码",)),
        Column("elective_subjects", "选考科目", "XKKM", 24),
        Column("first_subject", "首选科目", "SXKM", 3, local=True),
        Column("second_subjects", "再选科目", "ZXKM", 16, local=True),
        Column("art_category", "术科科目", "SKKM", 20),
        Column("language", "外语语种", "WYYZDM", 1, required=True, also=("foreign_language", "外语语种代码")),
        Column("hukou_county", "户籍所在地", "DQDM", 6, required=True, also=("hukou_region", "户籍所在地代码")),
        Column("hukou_address", "户口所在地详址", "HKDZ", 100, local=True),
        Column("household_type", "户籍类别", "HJLBDM", 1),
        Column("mail_address", "通讯地址", "TXDZ", 128, dbf_2012="JTDZ"),
        Column("postcode", "邮政编码", "YZBM", 6),
        Column("recipient", "收件人", "SJR", 64),
        Column("mobile", "联系手机", "LXSJ", 11),
        Column("phone", "联系电话", "LXDH", 30),
        Column("features", "考生特征", "KSTZ", 64),
        Column("specialties", "考生特长", "KSTC", 64),
        Column("awards_punishments", "奖励或处分", "KSJLHCF", 100, lines=True),
        Column(
            "moral_assessment",
            "思想品德考核意见",
            "SXPDKHYJ",
            200,
            dbf_2012="ZSYJ",
            also=("政审意见",),
            lines=True,
        ),
        Column("disability", "残障类别", "CZLBDM", 1),
        Column("qualifications", "考生资格", "KSZG", 254),
        Column("restrictions", "专业受限代码", "ZYSXDM", 17, local=True),
        Column("score", "总分", "CJ", 6, "number", 1, also=("total", "高考总分")),
        Column("art_score", "专业成绩", "ZYCJ", 6, "number", 2),
    ),
)

#: One row of the catalogue: what one institution (or group) offers in one major.
PLANS: Final = Layout(
    "招生计划",
    (
        Column("batch_code", "批次代码", "PCDM", 12, required=True),
        Column("column_code", "志愿栏代码", "ZYLDM", 16, required=True, local=True),
        Column("subject_class", "科类", "KLDM", 8, required=True, also=("科类代码",)),
        Column("institution_code", "院校代号", "TDDWDM", 6, required=True, dbf_2012="TDDW"),
        Column("institution_name", "院校名称", "TDDWMC", 80, required=True),
        Column("group_code", "院校专业组", "ZYZDM", 3, local=True, also=("专业组代码",)),
        Column("group_name", "专业组名称", "ZYZMC", 60, local=True),
        Column("major_code", "专业代号", "ZYDH", 4, required=True),
        Column("major_name", "专业名称", "ZYMC", 120, required=True),
        Column("place", "所在地", "YXSZD", 30, local=True, also=("办学地点",)),
        Column("province_name", "所在省", "YXSZS", 30, local=True),
        Column("ownership", "办学性质", "BXXZ", 10, local=True),
        Column("nature", "计划性质", "JHXZDM", 20),
        Column("tags", "计划标签", "JHBQ", 254, local=True),
        Column("tuition", "学费", "SFBZ", 6, "number"),
        Column("years", "学制", "XZDM", 3, "number", 1),
        Column("quota", "计划数", "JHS", 5, "number", required=True),
        Column("subject_first", "首选科目要求", "SXKMYQ", 6, local=True),
        Column("subject_second", "再选科目要求", "ZXKMYQ", 24, local=True),
        Column("restricted", "受限体检代码", "SXTJDM", 30, local=True),
        Column("languages", "外语语种要求", "WYYZYQ", 14, local=True),
        Column("sex", "性别要求", "XBYQ", 1, local=True),
        Column("remark", "备注", "BZ", 254, lines=True),
    ),
)

#: T_ZYK: the choices of a sealed batch, one row for each major of each slot.
CHOICES: Final = Layout(
    "志愿库",
    (
        Column("candidate_no", "考生号", "KSH", 14, required=True),
        Column("name", "姓名", "XM", 64, local=True),
        Column("subject_class", "科类", "KLDM", 8, required=True),
        Column("batch_code", "批次代码", "PCDM", 24, required=True),
        Column("round", "征集轮次", "ZJLC", 2, "number", required=True, local=True),
        Column("column_code", "志愿栏代码", "ZYLDM", 24, required=True, local=True),
        Column("plan_nature", "计划性质", "JHXZDM", 20),
        Column("slot_no", "志愿序号", "LJZYH", 3, "number", required=True),
        Column("institution_code", "院校代号", "TDDWDM", 8, required=True, dbf_2012="TDDW"),
        Column("group_code", "院校专业组", "ZYZDM", 8, local=True),
        Column("major_no", "专业序号", "ZYXH", 2, "number"),
        Column("major_code", "专业代号", "ZYDH", 8),
        Column("major_adjust", "专业服从", "ZYTJFC", 1),
        Column("institution_adjust", "学校服从", "YXTJFC", 1, local=True),
        Column("directed_adjust", "定向调剂", "DXTJ", 1),
    ),
)
