/** The only bridge between window and main process: three functions, no Node in the window. */
import type { ContextBridge, IpcRenderer } from './electron-types.js';

export interface AnswerOrError {
  readonly text?: string;
  readonly finishReason?: string;
  readonly code?: string;
  readonly message?: string;
}

/** `window.blip` */
export interface BlipBridge {
  ask(id: number, picture: Uint8Array, question: string): Promise<AnswerOrError>;
  stop(id: number): Promise<void>;
  onPiece(listener: (id: number, piece: string) => void): void;
}

export function expose(bridge: ContextBridge, ipc: IpcRenderer): void {
  const blip: BlipBridge = {
    ask: (id, picture, question) => ipc.invoke('ask', { id, picture, question }) as Promise<AnswerOrError>,
    stop: id => ipc.invoke('stop', id) as Promise<void>,
    onPiece: listener => ipc.on('piece', (_event, id, piece) => listener(id as number, piece as string)),
  };
  bridge.exposeInMainWorld('blip', blip);
}
