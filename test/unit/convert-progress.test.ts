import { formatBytes, formatSeconds, Progress } from '../../src/cli/progress.js';

function display(isTTY: boolean) {
  const written: string[] = [];
  let time = 0;
  const progress = new Progress({ isTTY, write: text => written.push(text) }, () => time);
  return {
    written,
    progress,
    at: (ms: number) => {
      time = ms;
    },
  };
}

describe('Progress', () => {
  it('draws a bar with rate and time left on a terminal, and clears it', () => {
    const { written, progress, at } = display(true);
    progress.update('vision file', 0, 4e9);
    at(2000);
    progress.update('vision file', 1e9, 4e9);
    expect(written.at(-1)).toBe(
      '\rvision file [======                  ]  25 %  1.0 GB of 4.0 GB, 500 MB/s, 0:06 left\u001b[K',
    );
    progress.done();
    expect(written.at(-1)).toBe('\r\u001b[K');
  });

  it('does not draw more often than one can see', () => {
    const { written, progress, at } = display(true);
    for (let ms = 0; ms < 1000; ms++) {
      at(ms);
      progress.update('x', ms, 1000);
    }
    expect(written.length).toBe(10);
  });

  it('writes a line every five seconds elsewhere, and none for short work', () => {
    const { written, progress, at } = display(false);
    for (let ms = 0; ms <= 12_000; ms += 10) {
      at(ms);
      progress.update('x', ms * 1000, 12e6);
    }
    progress.done();
    expect(written.length).toBe(2);
    expect(written[0]).toBe('x 41 %, 5.0 MB of 12.0 MB, 1.0 MB/s, 0:07 left\n');
  });

  it('formats amounts and times', () => {
    expect([0, 999, 1500, 123456789, 4.1e9].map(formatBytes)).toEqual(['0 B', '999 B', '1.5 KB', '123 MB', '4.1 GB']);
    expect([0, 61.4, 3725].map(formatSeconds)).toEqual(['0:00', '1:01', '1:02:05']);
  });
});
