// Keeps <time data-countdown> up to date: what is left until a batch closes, by the server's clock.
// The page says the same in words when it is made; this only counts on. Attributes (see macros/times.html):
//   data-closes-at, data-server-now   ISO 8601 with offset
//   data-units                        "{d} d {h} h {m} min {s} s" in the reader's language, parts split by "|"
//   data-closed, data-left            what is said at the end, and at the marks ("{time} left")
// The text itself is silent for screen readers; a status line beside it speaks only at the marks.

const MARKS = [3600, 1800, 600, 300, 60];
const NEAR = 1800;

const arrived = Date.now();
const arrivedTicks = performance.now();

// The larger of two clocks: one may stand still while the machine sleeps, the other may be set back.
// Too much time gone is a harmless error here; too little would promise time that is not there.
function secondsHere() {
  return Math.max(Date.now() - arrived, performance.now() - arrivedTicks) / 1000;
}

// Between the server writing "now" and this script: the answer's way, the style sheets, the parsing.
function secondsOnTheWay() {
  const timing = performance.timing;
  return timing && timing.responseStart ? Math.max(0, arrived - timing.responseStart) / 1000 : 0;
}

function inWords(seconds, units) {
  const parts = {
    d: Math.floor(seconds / 86400),
    h: Math.floor(seconds / 3600) % 24,
    m: Math.floor(seconds / 60) % 60,
    s: seconds % 60,
  };
  const texts = units.split('|').map(unit => unit.replace(/\{(\w)\}/, (_, key) => parts[key]));
  const first = ['d', 'h', 'm', 's'].findIndex(key => parts[key] > 0);
  const last = seconds >= 86400 ? 3 : 4;
  return texts.slice(first < 0 ? 3 : first, last).join(' ').trim();
}

function start(time) {
  const atStart = (Date.parse(time.dataset.closesAt) - Date.parse(time.dataset.serverNow)) / 1000 - secondsOnTheWay();
  if (isNaN(atStart)) {
    return;
  }
  const status = document.createElement('span');
  status.setAttribute('role', 'status');
  status.className = 'visually-hidden';
  time.parentNode.insertBefore(status, time.nextSibling);
  let before = null;
  let timer = 0;

  function tick() {
    const left = Math.ceil(atStart - secondsHere());
    if (left <= 0) {
      clearInterval(timer);
      time.textContent = time.dataset.closed;
      time.classList.add('is-near', 'is-closed');
      if (before !== null) {
        status.textContent = time.dataset.closed;
      }
      return;
    }
    const words = inWords(left, time.dataset.units);
    time.textContent = words;
    time.classList.toggle('is-near', left <= NEAR);
    if (before !== null && MARKS.some(mark => left <= mark && mark < before)) {
      status.textContent = time.dataset.left.replace('{time}', words);
    }
    before = left;
  }

  timer = setInterval(tick, 1000);
  tick();
  document.addEventListener('visibilitychange', tick);
}

document.querySelectorAll('time[data-countdown]').forEach(start);
