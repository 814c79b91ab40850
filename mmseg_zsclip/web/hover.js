// Every picture marks the pixel under the pointer, of the whole photo; ten times a second at most
// its scores are asked for, of the last pixel in any case.
const PAUSE = 100;
let last = '';
let asked = null;
let waiting = false;

function ask() {
  if (waiting || !asked) return;
  trigger('hover', asked);
  asked = null;
  waiting = true;
  setTimeout(() => { waiting = false; ask(); }, PAUSE);
}

function point(event) {
  const stack = event.target.closest('.stack');
  if (!stack) return;
  const box = stack.getBoundingClientRect();
  const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  const size = [Number(stack.dataset.width), Number(stack.dataset.height)];
  const [x, y] = share.map((one, i) => Math.min(Math.max(Math.floor(one * size[i]), 0), size[i] - 1));
  if (`${x},${y}` === last) return;
  last = `${x},${y}`;
  for (const cross of element.querySelectorAll('.cross')) {
    cross.style.left = `${100 * (x + 0.5) / size[0]}%`;
    cross.style.top = `${100 * (y + 0.5) / size[1]}%`;
    cross.style.display = 'block';
  }
  asked = {x, y};
  ask();
}

element.addEventListener('pointermove', point);
element.addEventListener('pointerdown', point);
element.addEventListener('input', (event) => {
  if (event.target.matches('.opacity')) {
    element.style.setProperty('--opacity', event.target.value);
  }
});
