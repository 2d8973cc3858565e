// What a bar chart of the page shows, read from what was painted: the bars' pixels, the texts under and above them.

/** The chart with this heading: bars from left to right, each { label, value, height, x, y } in pixels of the page. */
export function readBars(page, heading) {
  return page.evaluate((title) => {
    const ACCENT = [0x1f, 0x7a, 0x6d];
    const card = [...document.querySelectorAll('.bars')].find((one) => one.querySelector('h2').textContent === title);
    const canvas = card?.querySelector('canvas[data-key="bar"]');
    if (!canvas?.width) return [];
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const painted = (x, y) => {
      const at = (y * width + x) * 4;
      return data[at + 3] > 200 && ACCENT.every((shade, channel) => Math.abs(data[at + channel] - shade) < 12);
    };
    const tall = (x) => {
      let count = 0;
      for (let y = 0; y < height; y += 1) count += painted(x, y) ? 1 : 0;
      return count;
    };
    const runs = [];
    for (let x = 0, open = false; x < width; x += 1) {
      const count = tall(x);
      if (count && !open) runs.push({ from: x, to: x, height: 0 });
      open = count > 0;
      if (open) Object.assign(runs.at(-1), { to: x, height: Math.max(runs.at(-1).height, count) });
    }
    const box = canvas.getBoundingClientRect();
    const scale = box.width / width;
    const texts = (key) => [...card.querySelectorAll(`svg[data-key="${key}"] text`)].map((text) => {
      const { left, right } = text.getBoundingClientRect();
      return { x: (left + right) / 2, text: text.textContent };
    });
    const nearest = (list, x) => list.toSorted((a, b) => Math.abs(a.x - x) - Math.abs(b.x - x))[0]?.text;
    const [labels, values] = [texts('bar-axis'), texts('bar-labels')];
    return runs.filter(({ from, to }) => to - from > 4).map(({ from, to, height: pixels }) => {
      const x = box.left + ((from + to) / 2) * scale;
      return { label: nearest(labels, x), value: nearest(values, x), height: pixels * scale, x, y: box.bottom - Math.min(pixels * scale / 2, 10) };
    });
  }, heading);
}
