export type { StateOperation, StateStore } from '../core/state-store.ts'
