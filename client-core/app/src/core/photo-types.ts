// Written from the Rust types of client-core/web/src/photo; UPDATE_EXPECT=1 writes it anew.

export type PhotoCall = { "call": "add_photo", check: string, question: string, member: string | null, taken_ms: number, } | { "call": "remove_photo", check: string, key: string, } | { "call": "photos", household: string, } | { "call": "check_photos", check: string, };
export type WantedPicture = { 
/**
 * The household whose it is.
 */
household: string, 
/**
 * Its name.
 */
photo: string, 
/**
 * The small one for lists.
 */
thumbnail: boolean, 
/**
 * Whether the server is to be asked for it when it is not here.
 */
fetch: boolean, };
export type PhotoLine = { 
/**
 * Its name: 64 hexadecimal digits.
 */
photo: string, 
/**
 * `check/…` or `household/…`: what names it.
 */
document: string, 
/**
 * The key at which it does.
 */
key: string, 
/**
 * `photo` or `signature`; null while nothing of it is here.
 */
kind: string | null, 
/**
 * When it was taken, by the clock of the device that took it.
 */
taken_ms: number | null, 
/**
 * `draft`, `waiting`, `received`, `here` or `elsewhere`: the last two of photos of other devices.
 */
state: string, 
/**
 * Bytes that the server is known to hold, of one that waits.
 */
sent: number, 
/**
 * Bytes in all, of one that waits.
 */
total: number, };
export type PhotoProgress = { received: number, to_send: number, bytes: number, bytes_to_send: number, };
export type PhotoResult = { 
/**
 * `complete`, `text_first`, `later`, or why the link failed, as of a sync.
 */
outcome: string, 
/**
 * How far it came.
 */
progress: PhotoProgress, 
/**
 * Photos that the server does not take.
 */
refused: number, 
/**
 * Photos that still wait.
 */
waiting: number, };
