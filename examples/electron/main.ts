/**
 * Electron's main process: loads the model once and answers over IPC. The model runs on the engine's own threads, so the window stays responsive.
 * Types of `electron` are written out as far as they are used, so that this file is checked without installing it.
 */
import { demoModelFolder, InstructBlip, InstructBlipError } from 'instructblip';
import type { App, BrowserWindowConstructor, IpcMain } from './electron-types.js';

interface Question {
  /** Chosen by the window, to tell answers apart and to stop one. */
  readonly id: number;
  readonly picture: Uint8Array;
  readonly question: string;
}

/** `preload`: path of the compiled preload.ts. */
export async function start(
  app: App,
  BrowserWindow: BrowserWindowConstructor,
  ipc: IpcMain,
  preload: string,
): Promise<void> {
  await app.whenReady();
  const blip = await InstructBlip.load(demoModelFolder());
  const running = new Map<number, AbortController>();

  ipc.handle('ask', async (event, { id, picture, question }: Question) => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const answer = await blip.ask(picture, question, {
        signal: controller.signal,
        stopOnAbort: true,
        onText: piece => event.sender.send('piece', id, piece),
      });
      return { text: answer.text, finishReason: answer.finishReason };
    } catch (error) {
      // Errors lose their class on the way to the window: send what it can show.
      if (error instanceof InstructBlipError) return { code: error.code, message: error.message };
      throw error;
    } finally {
      running.delete(id);
    }
  });
  ipc.handle('stop', (_event, id: number) => running.get(id)?.abort());

  const window = new BrowserWindow({ webPreferences: { preload } });
  await window.loadFile('index.html');
  app.on('will-quit', () => void blip.dispose());
}
