// A log of any length in a bounded part of the page: blocks of text, of which the browser lays out those that are seen,
// and the oldest of which go when there is too much.

const BLOCK = 16000; // characters, and on to the end of the line
const LONGEST = 64000; // of a block whose line does not end
const MOST = 2000000;
const NEAR = 40; // pixels from the end that still count as the end
const ESCAPES = /\u001b\[[0-9;]*[A-Za-z]/g; // colours of terminals

export class LogView {
  constructor(box, { most = MOST, onFollow = () => {}, onCut = () => {} } = {}) {
    const lines = box.ownerDocument.createElement("div");
    box.append(lines);
    Object.assign(this, { box, lines, most, onFollow, onCut, frame: 0 });
    this.clear();
    this.sized = new ResizeObserver(() => this.following && this.toEnd()); // a block's size is estimated until it is seen
    this.sized.observe(lines);
    this.scrolled = () => this.setFollowing(box.scrollHeight - box.scrollTop - box.clientHeight < NEAR);
    box.addEventListener("scroll", this.scrolled, { passive: true });
  }

  clear(cut = 0) {
    this.lines.replaceChildren();
    this.characters = 0;
    this.cut = cut;
    this.last = null;
    this.following = true;
    this.onCut(this.cut);
    this.onFollow(true);
  }

  append(text) {
    let rest = text.replace(ESCAPES, "");
    if (rest.length > this.most) {
      this.skip(rest.length - this.most);
      rest = rest.slice(-this.most);
    }
    while (rest) {
      if (!this.last || full(this.last)) this.last = this.block();
      const end = endOfBlock(rest, this.last.length);
      this.last.appendData(rest.slice(0, end));
      this.characters += end;
      rest = rest.slice(end);
    }
    this.drop();
    if (this.following && !this.frame) this.frame = requestAnimationFrame(() => this.caughtUp());
  }

  // Once a frame, however fast lines come: to scroll, the browser has to lay out all that is new.
  caughtUp() {
    this.frame = 0;
    if (this.following) this.toEnd();
  }

  block() {
    const block = document.createElement("pre");
    const text = document.createTextNode("");
    block.append(text);
    this.lines.lastChild?.classList.add("old");
    this.lines.append(block);
    return text;
  }

  drop() {
    while (this.characters > this.most) {
      const first = this.lines.firstChild;
      this.characters -= first.textContent.length;
      this.skip(first.textContent.length);
      first.remove();
    }
  }

  skip(characters) {
    this.cut += characters;
    this.onCut(this.cut);
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  follow() {
    this.setFollowing(true);
    this.toEnd();
  }

  setFollowing(following) {
    if (following === this.following) return;
    this.following = following;
    this.onFollow(following);
  }

  end() {
    this.sized.disconnect();
    cancelAnimationFrame(this.frame);
    this.box.removeEventListener("scroll", this.scrolled);
    this.lines.remove();
  }
}

const full = (text) => text.length >= BLOCK && (text.length >= LONGEST || text.data.endsWith("\n"));

// How much of a text goes into a block that holds so much already.
function endOfBlock(text, held) {
  const wanted = Math.max(BLOCK - held, 1);
  if (text.length <= wanted) return text.length;
  const line = text.indexOf("\n", wanted - 1);
  return Math.min(line === -1 ? text.length : line + 1, Math.max(LONGEST - held, 1));
}
