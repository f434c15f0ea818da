/** Where progress lines go: stderr in the command line. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
/** Milliseconds between updates: of a bar on a terminal, and of lines in a log. */
const TERMINAL_INTERVAL = 100;
const LOG_INTERVAL = 5000;
/** The rate is that of the last seconds: quantized tensors are slower than copied ones. */
const RATE_WINDOW = 10_000;

/** 1536 → `1.5 KB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** 75 → `1:15`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** A progress display with rate and time left: a bar on a terminal, a line every few seconds elsewhere. */
export class Progress {
  private readonly samples: { readonly time: number; readonly loaded: number }[] = [];
  private lastShown = Number.NEGATIVE_INFINITY;
  private shown = false;

  constructor(
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {}

  private describe(label: string, loaded: number, total: number): string {
    const first = this.samples[0]!;
    const last = this.samples.at(-1)!;
    const rate = last.time > first.time ? ((last.loaded - first.loaded) * 1000) / (last.time - first.time) : 0;
    const share = total > 0 ? Math.min(1, loaded / total) : 1;
    const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
    const amount = `${formatBytes(loaded)} of ${formatBytes(total)}`;
    const pace = rate > 0 ? `, ${formatBytes(rate)}/s, ${formatSeconds((total - loaded) / rate)} left` : '';
    if (!this.stream.isTTY) return `${label} ${percent.trim()}, ${amount}${pace}`;
    const filled = Math.round(share * BAR_WIDTH);
    return `${label} [${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${percent}  ${amount}${pace}`;
  }

  /** Tells how far the work is; shows it when it is time to. */
  update(label: string, loaded: number, total: number): void {
    const time = this.now();
    this.samples.push({ time, loaded });
    while (this.samples.length > 2 && time - this.samples[0]!.time > RATE_WINDOW) this.samples.shift();
    const interval = this.stream.isTTY ? TERMINAL_INTERVAL : LOG_INTERVAL;
    // A log needs no first line for work that is done in a moment.
    if (!this.stream.isTTY && this.lastShown === Number.NEGATIVE_INFINITY) this.lastShown = time;
    if (time - this.lastShown < interval) return;
    this.lastShown = time;
    this.shown = true;
    const text = this.describe(label, loaded, total);
    this.stream.write(this.stream.isTTY ? `\r${text}\u001b[K` : `${text}\n`);
  }

  /** Clears the bar, so that what follows starts on a clean line. */
  done(): void {
    if (this.stream.isTTY && this.shown) this.stream.write('\r\u001b[K');
    this.shown = false;
  }
}
