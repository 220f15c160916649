// Synchronised players, a divider, curves with a cursor, links that seek.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const one = (query, root = document) => root.querySelector(query);
const all = (query, root = document) => [...root.querySelectorAll(query)];
const times = data.times, count = times.length;
const length = Math.max(data.seconds, times[count - 1] || 0, 1e-6);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// ---- the films, out of the page itself
const blobOf = id => {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
  return URL.createObjectURL(new Blob([bytes], {type: "video/mp4"}));
};
const films = all("video");
for (const film of films) {
  film.addEventListener("error", () => {
    const words = document.createElement("p");
    words.textContent = "This browser does not play H.264 in MP4; figures and stills are below.";
    one(".player").append(words);
  }, {once: true});
  film.src = blobOf(film.dataset.clip);
}
const master = one("video[data-master]"), other = films.find(film => film !== master);
let waiting = -1;

const frameAt = time => {
  let low = 0, high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-4) low = middle; else high = middle - 1;
  }
  return low;
};
// Into a frame, not onto its edge, where rounding could show the one before.
const inside = index => {
  const next = index + 1 < count ? times[index + 1] : times[index] + 0.02;
  return times[index] + (next - times[index]) * 0.3;
};
const clock = time => {
  const minutes = Math.floor(time / 60);
  return minutes + ":" + (time - 60 * minutes).toFixed(2).padStart(5, "0");
};
let index = 0;
const seek = wanted => {
  index = clamp(Math.round(wanted), 0, count - 1);
  waiting = index;
  for (const film of films) film.currentTime = inside(index);
  show(index);
};
const step = by => { pause(); seek(index + by); };
const play = () => {
  if (!master) return;
  if (master.ended || index >= count - 1) seek(0);
  waiting = -1;
  if (other) other.currentTime = master.currentTime;
  for (const film of films) film.play().catch(() => {});
};
const pause = () => { for (const film of films) film.pause(); };
const toggle = () => master && (master.paused ? play() : pause());

// ---- curves
const SVG = "http://www.w3.org/2000/svg";
const HIGH = 100, WIDE = 1000;
const draw = (svg, name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return svg.appendChild(made);
};
const digits = value => {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 10000) ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
};
const spot = time => (time / length * WIDE).toFixed(2);
const cursors = [];
const plot = (figure, panel) => {
  const svg = one("svg", figure);
  const known = panel.lines.flatMap(line => line.values).filter(value => value !== null);
  const sorted = [...known].sort((a, b) => a - b);
  let high = sorted.length ? sorted[sorted.length - 1] : 1, low = sorted.length ? sorted[0] : 0;
  const usual = sorted.length ? sorted[Math.floor(0.97 * (sorted.length - 1))] : 1;
  const beyond = panel.capped && high > 3 * usual && usual > 0;
  if (beyond) high = 1.6 * usual;
  low = Math.min(low, 0); high = Math.max(high, 0);
  if (high - low < 1e-9) high = low + 1;
  const y = value => ((1 - (clamp(value, low, high) - low) / (high - low)) * HIGH).toFixed(2);
  draw(svg, "path", {class: "frame", d: `M0 0H${WIDE}V${HIGH}H0Z`});
  if (low < 0) draw(svg, "path", {class: "zero", d: `M0 ${y(0)}H${WIDE}`});
  for (const cut of data.cuts) draw(svg, "path", {class: "scene", d: `M${spot(cut)} 0V${HIGH}`});
  panel.lines.forEach((line, number) => {
    let path = "", pen = false, drawn = 0;
    const at = line.times || times;
    line.values.forEach((value, n) => {
      if (value === null) { pen = false; return; }
      path += (pen ? "L" : "M") + spot(at[n]) + " " + y(value);
      pen = true; drawn++;
    });
    draw(svg, "path", {class: number ? "line second" : "line", d: path || "M0 0",
      "data-points": line.values.length, "data-drawn": drawn});
  });
  const now = draw(svg, "path", {class: "now", d: `M0 0V${HIGH}`});
  one(".most", figure).textContent = digits(high);
  if (beyond) one("figcaption", figure).append(
    ` Peaks beyond the scale: up to ${digits(sorted[sorted.length - 1])}.`);
  one(".least", figure).textContent = digits(low);
  const values = all(".key b", figure);
  const showValues = time => {
    now.setAttribute("transform", `translate(${spot(time)} 0)`);
    panel.lines.forEach((line, number) => {
      const at = line.times || times;
      let n = frameAt(time);
      if (line.times) { n = 0; while (n + 1 < at.length && at[n + 1] <= time + 1e-4) n++; }
      values[number].textContent = digits(line.values[n]);
    });
  };
  cursors.push(showValues);
  const timeOf = event => {
    const box = svg.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * length;
  };
  svg.addEventListener("pointermove", event => {
    const time = timeOf(event);
    for (const cursor of cursors) cursor(time);
    if (event.buttons & 1) seek(frameAt(time));
  });
  svg.addEventListener("pointerleave", () => show(index));
  svg.addEventListener("click", event => seek(frameAt(timeOf(event))));
};

// ---- what follows the playing time
const scrub = one("#scrub"), position = one("#position"), stills = all("a[data-frame]");
const show = now => {
  index = now;
  for (const cursor of cursors) cursor(times[now]);
  if (scrub) {
    scrub.value = now;
    scrub.setAttribute("aria-valuetext", `frame ${now + 1} of ${count}, ${clock(times[now])}`);
    position.textContent = `${clock(times[now])}  ${now + 1}/${count}`;
  }
  for (const link of stills) link.classList.toggle("here", Number(link.dataset.frame) === now);
};
all("[data-panel]").forEach(figure => plot(figure, data.panels[Number(figure.dataset.panel)]));

if (master) {
  const button = one("#play"), speed = one("#speed"), stage = one(".stage");
  const follow = () => {
    if (master.paused) return;
    show(frameAt(master.currentTime));
    if (other && !other.ended && master.currentTime < other.duration) {
      const apart = other.currentTime - master.currentTime, pace = Number(speed.value);
      if (Math.abs(apart) > 0.3) other.currentTime = master.currentTime;
      other.playbackRate = pace * (Math.abs(apart) > 0.015 ? clamp(1 - 2 * apart, 0.8, 1.25) : 1);
      if (other.paused) other.play().catch(() => {});
    }
    requestAnimationFrame(follow);
  };
  master.addEventListener("play", () => { button.textContent = "Pause"; follow(); });
  master.addEventListener("pause", () => {
    button.textContent = "Play";
    if (waiting < 0) seek(frameAt(master.currentTime));
    if (other) other.pause();
  });
  master.addEventListener("ended", () => {
    if (one("#again").checked) { seek(0); play(); } else seek(count - 1);
  });
  button.addEventListener("click", toggle);
  one("#back").addEventListener("click", () => step(-1));
  one("#on").addEventListener("click", () => step(1));
  scrub.addEventListener("input", () => { pause(); seek(Number(scrub.value)); });
  speed.addEventListener("change", () => {
    for (const film of films) film.playbackRate = Number(speed.value);
  });
  one("#mute")?.addEventListener("change", event => { master.muted = !event.target.checked; });
  for (const choice of all("input[name=view]"))
    choice.addEventListener("change", () => { stage.className = "stage " + choice.value; });

  const divider = one(".divider");
  if (divider) {
    let at = 50;
    const divide = share => {
      at = clamp(share, 0, 100);
      stage.style.setProperty("--at", at + "%");
      divider.setAttribute("aria-valuenow", Math.round(at));
    };
    const point = event => {
      const box = stage.getBoundingClientRect();
      divide((event.clientX - box.left) / box.width * 100);
    };
    const ways = {ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100};
    divider.addEventListener("keydown", event => {
      if (!(event.key in ways)) return;
      divide(at + ways[event.key]);
      event.preventDefault();
    });
    stage.addEventListener("pointerdown", event => {
      if (!stage.classList.contains("split") || event.button) return;
      stage.setPointerCapture(event.pointerId);
      point(event);
      event.preventDefault();
      divider.focus({preventScroll: true});
    });
    stage.addEventListener("pointermove", event => {
      if (stage.hasPointerCapture(event.pointerId)) point(event);
    });
    divide(50);
  }
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typed = event.target.closest("input, select, textarea, button, a, [role=slider]");
    const steps = {",": -1, ".": 1};
    if (!typed || typed.matches("[role=slider]")) {
      if (!typed) Object.assign(steps, {ArrowLeft: -1, ArrowRight: 1});
      if (event.key === " ") { toggle(); event.preventDefault(); return; }
    }
    if (event.key in steps) { step(steps[event.key]); event.preventDefault(); }
  });
  for (const link of stills) link.addEventListener("click", event => {
    event.preventDefault();
    pause();
    seek(Number(link.dataset.frame));
    one(".player").scrollIntoView({block: "start"});
    scrub.focus({preventScroll: true});
  });
  const wanted = /^#frame=(\d+)$/.exec(location.hash);
  master.addEventListener("loadeddata", () => seek(wanted ? Number(wanted[1]) : 0), {once: true});
}
for (const button of all("button[data-copy]")) button.addEventListener("click", async () => {
  const text = document.getElementById(button.dataset.copy).textContent;
  try { await navigator.clipboard.writeText(text); }
  catch { const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copy));
    getSelection().removeAllRanges(); getSelection().addRange(range);
    document.execCommand("copy"); }
  button.textContent = "Copied";
});
show(0);
