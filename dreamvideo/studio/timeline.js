// Keyframes over a clip: drawn, dragged by pointer, moved by keys. The studio holds them.
(() => {
  const MARGIN = 0.04;
  const at = (id) => document.getElementById(id);
  const plot = () => document.querySelector('.plot');
  const hold = (v, low = 0, high = 1) => Math.min(high, Math.max(low, v));
  const tell = (...edit) => plot().dispatchEvent(
    new CustomEvent('edit', {detail: edit, bubbles: true}));
  // What is drawn, the chosen key, the setting's text, a key that is dragged, one to be focused.
  let now = null, chosen = 0, text = null, held = null, follows = false;

  const options = (list, pairs, value) => {
    if (list.dataset.made !== JSON.stringify(pairs)) {
      list.replaceChildren(...pairs.map(([v, label]) => new Option(label, v)));
      list.dataset.made = JSON.stringify(pairs);
    }
    list.value = value;
  };
  const digits = (v) => String(Number(v.toPrecision(4)));
  const top = (v) => {
    const share = now.high > now.low ? (v - now.low) / (now.high - now.low) : 0.5;
    return 1 - MARGIN - (1 - 2 * MARGIN) * hold(share);
  };
  const value = (up) => now.low + (now.high - now.low) * hold((up - MARGIN) / (1 - 2 * MARGIN));
  const put = (id, v) => { if (document.activeElement !== at(id)) at(id).value = v; };
  const choose = (n) => {
    chosen = hold(n, 0, now.keys.length - 1);
    const [time, v, way, plain] = now.keys[chosen];
    document.querySelectorAll('.key').forEach((e, n) => {
      e.setAttribute('aria-current', n === chosen);
    });
    at('key-time').max = now.length;
    put('key-time', Number(time.toFixed(3)));
    [at('key-value').min, at('key-value').max] = [now.least, now.most];
    at('key-value').disabled = !plain;
    put('key-value', digits(v));
    options(at('key-ease'), now.ways.map((each) => [each, each]), way);
    at('key-remove').disabled = now.keys.length === 1 && !now.own;
  };
  window.showTimeline = (state) => {
    at('curve-line').textContent = state.line;
    // An invalid look has no curve: the last one stays.
    if (!state.keys) return;
    now = state;
    options(at('curve-name'), now.names, now.name);
    const draw = (name, tag, said) => plot().querySelector('.' + name).setAttribute(tag, said);
    const last = now.values.length - 1;
    draw('curve', 'points', now.values.map((v, n) => `${1000 * n / last},${100 * top(v)}`).join(' '));
    draw('wave', 'd', now.wave.map((v, n) => {
      const x = 1000 * (n + 0.5) / now.wave.length;
      return `M${x} ${50 - 46 * v}V${50 + 46 * v}`;
    }).join(''));
    const said = {high: digits(now.high), low: digits(now.low), end: now.length.toFixed(2) + ' s'};
    Object.keys(said).forEach((k) => { plot().querySelector('.' + k).textContent = said[k]; });
    while (document.querySelectorAll('.key').length > now.keys.length) {
      document.querySelector('.key:last-child').remove();
    }
    now.keys.forEach(([time, v, way], n) => {
      let e = document.querySelectorAll('.key')[n];
      if (!e) {
        e = plot().appendChild(document.createElement('div'));
        e.className = 'key';
        e.tabIndex = 0;
        e.setAttribute('role', 'slider');
        e.setAttribute('aria-description', 'Arrow keys move it, with Shift further; Delete removes it');
      }
      if (held && held.key === e) return;
      e.style.left = 100 * hold(time / now.length) + '%';
      e.style.top = 100 * top(v) + '%';
      const said = {label: `Key ${n + 1}`, valuemin: now.low, valuemax: now.high, valuenow: digits(v),
        valuetext: `${digits(v)} at ${Number(time.toFixed(3))} s, ${way}`};
      Object.keys(said).forEach((k) => e.setAttribute('aria-' + k, said[k]));
    });
    if (now.text !== text && !now.line) at('schedule').value = text = now.text;
    const head = plot().querySelector('.playhead');
    head.hidden = now.at < 0 || now.at > 1;
    head.style.left = 100 * now.at + '%';
    choose(now.chosen >= 0 ? now.chosen : chosen);
    now.chosen = -1;
    if (follows) { follows = false; document.querySelectorAll('.key')[chosen].focus(); }
  };

  const index = (e) => Array.from(document.querySelectorAll('.key')).indexOf(e);
  const place = (e) => {
    const box = plot().getBoundingClientRect();
    return [hold((e.clientX - box.left) / box.width) * now.length,
      value(1 - (e.clientY - box.top) / box.height)];
  };
  const remove = () => { follows = true; tell('remove', chosen); };
  const WAYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
  document.addEventListener('keydown', (e) => {
    if (!e.target.matches('.key') || e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === 'Delete' || e.key === 'Backspace') remove();
    else if (WAYS[e.key]) {
      const [right, up] = WAYS[e.key], key = now.keys[chosen];
      const step = (now.high - now.low) / (e.shiftKey ? 10 : 50);
      // Moved at once: the next press may come before the studio's answer.
      if (right) key[0] = hold(key[0] + right * (e.shiftKey ? 10 : 1) / now.rate, 0, now.length);
      else if (key[3]) key[1] = hold(key[1] + up * step, now.low, now.high);
      showTimeline({...now, chosen});
      tell('move', chosen, right ? key[0] : null, right ? null : key[1]);
    } else return;
    e.preventDefault();
  });
  document.addEventListener('focusin', (e) => {
    if (e.target.matches('.key')) choose(index(e.target));
  });
  document.addEventListener('click', (e) => {
    if (e.target.id === 'key-add') { follows = true; tell('add', chosen, null, null); }
    if (e.target.id === 'key-remove') remove();
  });
  document.addEventListener('dblclick', (e) => {
    if (!e.target.closest('.plot') || e.target.matches('.key')) return;
    follows = true;
    tell('add', chosen, ...place(e));
  });
  document.addEventListener('change', (e) => {
    const said = e.target.value;
    if (e.target.id === 'curve-name') { chosen = 0; tell('pick', said); }
    if (e.target.id === 'schedule') { text = null; tell('type', said); }
    if (e.target.id === 'key-ease') tell('ease', chosen, said);
    if (e.target.id === 'key-time' && said) tell('move', chosen, Number(said), null);
    if (e.target.id === 'key-value' && said) tell('move', chosen, null, Number(said));
  });
  document.addEventListener('pointerdown', (e) => {
    if (!e.target.matches('.key') || e.button) return;
    e.target.setPointerCapture(e.pointerId);
    e.target.focus();
    held = {key: e.target, x: e.clientX, y: e.clientY, to: null};
    e.preventDefault();
  });
  document.addEventListener('pointermove', (e) => {
    if (!held || (!held.to && Math.hypot(e.clientX - held.x, e.clientY - held.y) < 3)) return;
    held.to = place(e);
    held.key.style.left = 100 * held.to[0] / now.length + '%';
    held.key.style.top = 100 * top(held.to[1]) + '%';
  });
  const drop = (e) => {
    if (!held) return;
    const to = held.to;
    held = null;
    if (to && e.type === 'pointerup') tell('move', chosen, ...to);
    else showTimeline(now);
  };
  document.addEventListener('pointerup', drop);
  document.addEventListener('pointercancel', drop);
})();
