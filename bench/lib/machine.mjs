/** What the figures were measured on. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

const cpuInfo = () => (existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '');
const field = (text, name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1];

/** Instruction sets that decide the speed of matrix products. */
const FEATURES = ['avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'avx512_fp16', 'avx_vnni', 'amx_bf16', 'amx_int8'];
const ARM_FEATURES = ['asimddp', 'i8mm', 'bf16', 'sve', 'sve2', 'sme'];

/** Cores, not hyperthreads; as many as this process may use. */
export function physicalCores() {
  const processors = cpuInfo().trim().split(/\n\n+/);
  const cores = new Set(processors.map(text => `${field(text, 'physical id')} ${field(text, 'core id')}`));
  return Math.min(availableParallelism(), cores.size > 1 ? cores.size : availableParallelism());
}

function cpuTimes() {
  const all = cpus().map(({ times }) => times);
  const sum = of => all.reduce((total, times) => total + of(times), 0);
  return { idle: sum(({ idle }) => idle), total: sum(times => Object.values(times).reduce((a, b) => a + b, 0)) };
}

/** Share of the CPUs that other programs use at the moment: ours waits meanwhile. Threads wait for each other at every step, so a little spoils much. */
export async function busyShare(milliseconds = 1500) {
  const before = cpuTimes();
  await new Promise(resolve => setTimeout(resolve, milliseconds));
  const after = cpuTimes();
  return 1 - (after.idle - before.idle) / (after.total - before.total);
}

/** Name, features and memory. Virtual machines hide the exact model: family, model and stepping tell it. */
export function describeMachine() {
  const info = cpuInfo();
  const flags = new Set((field(info, 'flags') ?? field(info, 'Features') ?? '').split(' '));
  const numbers = ['cpu family', 'model', 'stepping'].map(name => field(info, name));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    family: numbers.every(Boolean) ? `family ${numbers[0]} model ${numbers[1]} stepping ${numbers[2]}` : undefined,
    features: [...FEATURES, ...ARM_FEATURES].filter(name => flags.has(name)),
    cores: physicalCores(),
    memory: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
  };
}
