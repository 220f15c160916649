// A mask painted over the frame. The canvas holds it as opacity; each stroke is sent as grey.
(() => {
  const TINT = [150, 90, 255];
  const of = (name) => document.getElementById('paint-' + name);
  const canvas = () => of('canvas');
  const pen = () => canvas().getContext('2d', {willReadFrequently: true});
  const pixels = () => pen().getImageData(0, 0, canvas().width, canvas().height);
  const tool = () => document.querySelector('input[name=paint-tool]:checked').value;
  // Where a stroke was begun, and what was there before it.
  let from = null, before = null, drawn = false;
  // The mask that the studio has, the one on the canvas, and strokes on their way.
  let wanted = '', shown = '', sending = 0, turn = Promise.resolve();

  const begin = () => {
    const g = pen();
    g.globalCompositeOperation = of('erase').getAttribute('aria-pressed') === 'true'
      ? 'destination-out' : 'source-over';
    g.fillStyle = g.strokeStyle = `rgb(${TINT})`;
    g.lineWidth = Math.max(1, of('size').value / 100 * canvas().width);
    g.lineCap = g.lineJoin = 'round';
    g.beginPath();
    return g;
  };
  const draw = (kind, x, y, w, h) => {
    const g = begin();
    if (kind === 'ellipse') {
      g.ellipse(x + w / 2, y + h / 2, Math.abs(w / 2), Math.abs(h / 2), 0, 0, 2 * Math.PI);
    } else g.rect(x, y, w, h);
    g.fill();
  };
  const place = (e) => {
    const c = canvas(), box = c.getBoundingClientRect();
    const scale = Math.min(box.width / c.width, box.height / c.height);
    return [(e.clientX - box.left - (box.width - c.width * scale) / 2) / scale,
      (e.clientY - box.top - (box.height - c.height * scale) / 2) / scale];
  };
  const say = (text) => { of('line').textContent = text; };

  const send = () => {
    const grey = pixels(), d = grey.data, out = document.createElement('canvas');
    for (let i = 0; i < d.length; i += 4) { d.fill(d[i + 3], i, i + 3); d[i + 3] = 255; }
    [out.width, out.height] = [grey.width, grey.height];
    out.getContext('2d').putImageData(grey, 0, 0);
    sending += 1;
    out.toBlob((blob) => {
      turn = turn.then(async () => {
        try {
          const request = {method: 'POST', body: blob};
          const answer = await fetch('/studio/upload?use=mask&name=mask.png', request);
          const told = await answer.json();
          say(told.error || '');
          if (told.mask) wanted = shown = '/studio/mask/' + encodeURIComponent(told.mask);
          else shown = null;
        } catch (e) { say('The studio does not answer: is its command still running?'); }
        sending -= 1;
        follow();
      });
    });
  };
  const load = async (address) => {
    const image = new Image();
    image.src = address;
    try { if (address) await image.decode(); } catch (e) { return; }
    if (address !== wanted || sending || from) return;
    const c = canvas(), g = pen();
    g.globalCompositeOperation = 'source-over';
    g.clearRect(0, 0, c.width, c.height);
    shown = address;
    if (!address) return;
    g.drawImage(image, 0, 0, c.width, c.height);
    const all = pixels(), d = all.data;
    for (let i = 0; i < d.length; i += 4) { d[i + 3] = d[i]; d.set(TINT, i); }
    g.putImageData(all, 0, 0);
  };
  // The studio's mask has changed, by an undo for example, or has to be shown at first.
  const follow = () => { if (!sending && !from && wanted !== shown) load(wanted); };
  window.showMask = (state) => {
    const c = canvas(), [width, height] = state.size;
    if (c.width !== width || c.height !== height || state.first) {
      [c.width, c.height] = [width, height];
      shown = '';
    }
    of('clear').disabled = !state.own;
    of('invert').disabled = state.stuck;
    of('invert').setAttribute('aria-pressed', state.invert);
    if (document.activeElement !== of('feather')) of('feather').value = state.feather;
    wanted = state.mask;
    follow();
  };
  const tell = (what, value) => of('line').dispatchEvent(
    new CustomEvent('edit', {detail: [what, value], bubbles: true}));
  document.addEventListener('click', (e) => {
    const kind = e.target.dataset && e.target.dataset.shape;
    if (kind) {
      const share = (name, side) => of(name).value / 100 * canvas()[side];
      draw(kind, share('x', 'width'), share('y', 'height'), share('w', 'width'),
        share('h', 'height'));
      send();
    }
    const pressed = e.target.getAttribute('aria-pressed') !== 'true';
    if (e.target === of('erase')) of('erase').setAttribute('aria-pressed', pressed);
    if (e.target === of('invert')) tell('invert', pressed);
    if (e.target === of('clear')) tell('clear', null);
  });
  document.addEventListener('input', (e) => {
    if (e.target === of('feather')) tell('feather', e.target.value);
  });

  document.addEventListener('pointerdown', (e) => {
    if (e.target !== canvas() || e.button) return;
    e.target.setPointerCapture(e.pointerId);
    e.preventDefault();
    from = place(e);
    before = pixels();
    drawn = tool() === 'brush';
    if (!drawn) return;
    const g = begin();
    g.moveTo(...from); g.lineTo(...from); g.stroke();
  });
  document.addEventListener('pointermove', (e) => {
    if (!from || e.target !== canvas()) return;
    const to = place(e), kind = tool();
    drawn = true;
    if (kind !== 'brush') {
      pen().putImageData(before, 0, 0);
      draw(kind, from[0], from[1], to[0] - from[0], to[1] - from[1]);
      return;
    }
    const g = begin();
    g.moveTo(...from); g.lineTo(...to); g.stroke();
    from = to;
  });
  document.addEventListener('pointerup', () => {
    if (!from) return;
    from = null;
    if (drawn) send();
  });
  document.addEventListener('pointercancel', () => {
    if (from) { from = null; pen().putImageData(before, 0, 0); follow(); }
  });
})();
