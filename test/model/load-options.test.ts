import { listenToEngineLog } from '../../src/model/engine-log.js';
import { type LoadOptions, nativeLoadOptions, validateLoadOptions } from '../../src/model/load-options.js';

const refused = (options: object, code: string, message: RegExp) =>
  expect(() => validateLoadOptions(options as LoadOptions)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );

describe('load options', () => {
  it('have these defaults', () => {
    const files = { visionPath: 'v', languageModelPath: 'l' };
    expect(nativeLoadOptions(validateLoadOptions({}), files)).toEqual({
      ...files,
      device: 'auto',
      gpuLayers: -1,
      threads: 0,
      contextSize: 0,
      maxSequences: 16,
      kvCacheType: 'auto',
    });
  });

  it('reach the engine', () => {
    const options = {
      device: 'cpu',
      gpuLayers: 3,
      threads: 2,
      contextSize: 512,
      maxBatch: 7,
      kvCacheType: 'q8_0',
    } as const;
    expect(nativeLoadOptions(validateLoadOptions(options), { visionPath: 'v', languageModelPath: 'l' })).toMatchObject({
      device: 'cpu',
      gpuLayers: 3,
      threads: 2,
      contextSize: 512,
      maxSequences: 7,
      kvCacheType: 'q8_0',
    });
  });

  it.each<[object]>([
    [{ device: '' }],
    [{ gpuLayers: -2 }],
    [{ threads: 1.5 }],
    [{ contextSize: -1 }],
    [{ maxBatch: 65 }],
    [{ imageCache: -1 }],
    [{ imageCache: 1.5 }],
    [{ imageCache: '1' }],
    [{ maxBatch: 0 }],
    [{ kvCacheType: 'q4_0' }],
    [{ signal: {} }],
    [{ onProgress: 1 }],
    [{ onLog: 'x' }],
  ])('%j is refused', options => {
    refused(options, 'OPTION_INVALID', new RegExp(`^${Object.keys(options)[0]} must be`));
  });

  it('unknown ones are answered with the nearest', () => {
    refused({ gpulayers: 1 }, 'OPTION_UNKNOWN', /did you mean 'gpuLayers'/);
  });
});

describe('listenToEngineLog', () => {
  it('shares the one listener of the addon out, and takes it off with the last', () => {
    let emit: ((level: number, text: string) => void) | null = null;
    const addon = {
      setLogListener: (listener: typeof emit) => {
        emit = listener;
      },
    };
    const lines: string[] = [];
    const listener = ({ level, text }: { level: string; text: string }) => void lines.push(`${level} ${text}`);
    const stopFirst = listenToEngineLog(addon, listener);
    const stopSecond = listenToEngineLog(addon, listener);
    emit!(3, 'x');
    expect(lines).toEqual(['warn x', 'warn x']);
    stopFirst();
    stopFirst();
    emit!(1, 'y');
    expect(lines.slice(2)).toEqual(['debug y']);
    stopSecond();
    expect(emit).toBeNull();
  });
});
