export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  extensionsToTreatAsEsm: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1', '^instructblip$': '<rootDir>/src/index.ts' },
  transformIgnorePatterns: ['/node_modules/(?!@huggingface/)'],
  // Jest's sandbox makes globals slow to look up; loops over pixels and logits use these.
  sandboxInjectedGlobals: ['Math', 'Number'],
  maxWorkers: '100%',
  testTimeout: 120_000,
};
