/** The few members of Electron's API that the example uses, as its own types declare them. In an application import them from 'electron'. */

export interface App {
  whenReady(): Promise<void>;
  on(event: 'will-quit', listener: () => void): void;
}

export interface WindowOptions {
  readonly webPreferences: { readonly preload: string };
}
export type BrowserWindowConstructor = new (options: WindowOptions) => { loadFile(path: string): Promise<void> };

export interface IpcEvent {
  readonly sender: { send(channel: string, ...values: unknown[]): void };
}
export interface IpcMain {
  /** Electron declares `any[]`; `never[]` takes any listener too. */
  handle(channel: string, listener: (event: IpcEvent, ...values: never[]) => unknown): void;
}

export interface IpcRenderer {
  invoke(channel: string, ...values: unknown[]): Promise<unknown>;
  on(channel: string, listener: (event: unknown, ...values: unknown[]) => void): void;
}
export interface ContextBridge {
  exposeInMainWorld(name: string, api: object): void;
}
