/** What the module asks of JavaScript: rare things only. */

/** Puts the rows away and gives the document to the reference; `start` is 0 for a null value. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'leave')
export declare function leave(start: usize, end: usize, offset: f64, timestamp: f64): void

/** Puts the rows away: the columns are full. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'flush')
export declare function flush(): void

/** The interned texts outgrew their bound and were forgotten. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'forgotten')
export declare function forgotten(): void

/** The number that a text spells, NaN for none. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'numberOfText')
export declare function numberOfText(from: usize, to: usize): f64

/** Epoch ms of an ISO 8601 text, NaN for none. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'isoTimeOfText')
export declare function isoTimeOfText(from: usize, to: usize): f64

/** Is a field's condition true of a string with this symbol? */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'holdsOfString')
export declare function holdsOfString(condition: i32, symbol: i32): bool

/** Is a field's condition true of a number with this text? */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'holdsOfNumber')
export declare function holdsOfNumber(condition: i32, from: usize, to: usize): bool

/** Code of a metric's outcome with this symbol. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'outcomeOf')
export declare function outcomeOf(metric: i32, symbol: i32): u32

/** Series of the dimension symbols at `tuple`, with its hash seed written to `seed` (low, high); -1 when there is none and can be none. */
// @ts-ignore: a decorator of AssemblyScript
@external('host', 'seriesOf')
export declare function seriesOf(metric: i32, tuple: usize, seed: usize): i32
