// Dropped files, the source preview, copying of text.
(() => {
  const say = (text, bad) => {
    const line = document.getElementById('upload-line');
    if (line) { line.textContent = text; line.classList.toggle('bad', !!bad); }
  };
  const send = (file) => {
    if (!file) return;
    const request = new XMLHttpRequest();
    request.open('POST', '/studio/upload?name=' + encodeURIComponent(file.name));
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
      if (request.status === 200) { say(''); document.body.dataset.taken = answer.serial; }
      else say(answer.error || 'The file was refused (' + request.status + ')', true);
    };
    request.onerror = () => say('The studio does not answer: is its command still running?', true);
    say('Taking in ' + file.name);
    request.send(file);
  };
  document.addEventListener('change', (e) => {
    if (e.target.id === 'upload') { send(e.target.files[0]); e.target.value = ''; }
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
    send(e.dataTransfer.files[0]);
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
  const kept = localStorage.getItem('dreamvideo-scheme');
  window.studioScheme = kept === 'dark' || kept === 'light' ? kept : 'auto';
})();
