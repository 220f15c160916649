// Dropped files, the divider, held and pressed keys, copying of text.
(() => {
  const say = (text, bad) => {
    const line = document.getElementById('upload-line');
    if (line) { line.textContent = text; line.classList.toggle('bad', !!bad); }
  };
  const send = (file, use) => {
    if (!file) return;
    const request = new XMLHttpRequest();
    const asked = '?use=' + (use || 'source') + '&name=' + encodeURIComponent(file.name);
    request.open('POST', '/studio/upload' + asked);
    request.upload.onprogress = (e) => {
      if (e.lengthComputable) {
        const share = Math.floor(100 * e.loaded / e.total);
        say(share < 100 ? 'Taking in ' + file.name + ': ' + share + ' %'
          : 'Looking into ' + file.name);
      }
    };
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch (e) { answer = {}; }
      if (request.status === 200) {
        say('');
        if (answer.serial) document.body.dataset.taken = answer.serial;
      }
      else say(answer.error || 'The file was refused (' + request.status + ')', true);
    };
    request.onerror = () => say('The studio does not answer: is its command still running?', true);
    say('Taking in ' + file.name);
    request.send(file);
  };
  document.addEventListener('change', (e) => {
    const uses = {upload: 'source', 'upload-sound': 'song', arrival: 'arrival'};
    if (!(e.target.id in uses)) return;
    send(e.target.files[0], uses[e.target.id]);
    e.target.value = '';
  });
  const holds = (e) => e.dataTransfer && Array.from(e.dataTransfer.types).includes('Files');
  let inside = 0;
  const mark = () => document.body.classList.toggle('dropping', inside > 0);
  document.addEventListener('dragenter', (e) => { if (holds(e)) { inside += 1; mark(); } });
  document.addEventListener('dragleave', (e) => { if (holds(e)) { inside -= 1; mark(); } });
  document.addEventListener('dragover', (e) => { if (holds(e)) e.preventDefault(); });
  document.addEventListener('drop', (e) => {
    if (!holds(e)) return;
    e.preventDefault();
    inside = 0; mark();
    const on = (css) => e.target.closest && e.target.closest(css);
    send(e.dataTransfer.files[0], on('#arrival') ? 'arrival' : on('.music') ? 'song' : 'source');
  });
  const fill = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.querySelector('.screen').requestFullscreen();
  };
  const keys = () => document.getElementById('keys');
  const shows = { f: fill, '?': () => keys().showModal(), m: () => {
    const film = document.getElementById('moving');
    film.muted = !film.muted;
  } };
  document.addEventListener('click', (e) => {
    if (!e.target.closest) return;
    if (e.target.closest('#full')) fill();
    if (e.target.closest('#show-keys')) keys().showModal();
    if (e.target === keys() || e.target.closest('#hide-keys')) keys().close();
  });
  window.copyText = async (id, button) => {
    const text = document.getElementById(id).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch (e) {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(id));
      const chosen = window.getSelection();
      chosen.removeAllRanges(); chosen.addRange(range);
      document.execCommand('copy');
    }
    const before = button.dataset.label || button.textContent;
    button.dataset.label = before;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  let at = 50;
  const divide = (share) => {
    at = Math.min(100, Math.max(0, share));
    document.documentElement.style.setProperty('--at', at + '%');
    document.getElementById('divider').setAttribute('aria-valuenow', Math.round(at));
  };
  const point = (e, screen) => {
    const box = screen.getBoundingClientRect();
    divide((e.clientX - box.left) / box.width * 100);
  };
  document.addEventListener('pointerdown', (e) => {
    const screen = e.target.closest('.screen.divided');
    if (!screen || e.button) return;
    // The controls of a film, along its lower edge, are not the divider's.
    const below = screen.getBoundingClientRect().bottom - e.clientY;
    if (e.target.id === 'moving' && below < 70) return;
    screen.setPointerCapture(e.pointerId);
    point(e, screen);
    e.preventDefault();
    document.getElementById('divider').focus({preventScroll: true});
  });
  document.addEventListener('pointermove', (e) => {
    const screen = e.target.closest && e.target.closest('.screen.divided');
    if (screen && screen.hasPointerCapture(e.pointerId)) point(e, screen);
  });
  const keepInStep = () => {
    const film = document.getElementById('moving'), source = document.getElementById('moving-source');
    if (film && film.readyState > 1 && source.readyState > 1 && !source.seeking) {
      const apart = Math.abs(source.currentTime - film.currentTime);
      if (apart > (film.paused ? 0.001 : 0.06)) source.currentTime = film.currentTime;
      if (film.paused && !source.paused) source.pause();
      if (!film.paused && source.paused) source.play().catch(() => {});
    }
    requestAnimationFrame(keepInStep);
  };
  requestAnimationFrame(keepInStep);
  const ways = {ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100};
  const typing = 'select, textarea, input[type=number], input[type=text]';
  const hold = (yes) => document.body.classList.toggle('shows-before', yes);
  document.addEventListener('keydown', (e) => {
    if (e.target.id === 'divider' && e.key in ways) {
      divide(at + ways[e.key]);
      e.preventDefault();
      return;
    }
    if (e.target.closest(typing) || e.altKey) return;
    const key = e.key.toLowerCase();
    if ((e.ctrlKey || e.metaKey) && (key === 'z' || key === 'y')) {
      document.getElementById(key === 'y' || e.shiftKey ? 'redo' : 'undo').click();
      e.preventDefault();
    } else if (e.ctrlKey || e.metaKey || e.repeat) return;
    else if (key === 'b') hold(true);
    else if (key in shows && !keys().open) { shows[key](); e.preventDefault(); }
  });
  document.addEventListener('keyup', (e) => { if (e.key.toLowerCase() === 'b') hold(false); });
  window.addEventListener('blur', () => hold(false));
  // Within its own list: the page itself stays where it is.
  window.showChosenLook = () => {
    const chosen = document.querySelector('.look:has(input:checked)');
    if (!chosen) return;
    const grid = chosen.parentElement;
    const from = grid.getBoundingClientRect(), to = chosen.getBoundingClientRect();
    grid.scrollTop += to.top - from.top - (from.height - to.height) / 2;
    grid.scrollLeft += to.left - from.left - (from.width - to.width) / 2;
  };
  // Only a click may ask; where that is settled, or cannot be, there is nothing to ask.
  const known = () => document.documentElement.classList.toggle(
    'asks-notices', 'Notification' in window && Notification.permission === 'default');
  window.askForNotices = () => Notification.requestPermission().then(known);
  window.tellEnded = (line) => {
    if (document.hidden && 'Notification' in window && Notification.permission === 'granted')
      new Notification('dreamvideo studio', {body: line});
  };
  known();
  const kept = localStorage.getItem('dreamvideo-scheme');
  window.studioScheme = kept === 'dark' || kept === 'light' ? kept : 'auto';
})();
