// What page and worker say to each other about photos: pictures travel as bytes, beside the JSON of a call.

import type { PhotoCall, PhotoLine, PhotoProgress, PhotoResult, WantedPicture } from './types'

/** The answer of each call about photos. */
export interface PhotoAnswers {
  add_photo: string
  remove_photo: null
  photos: PhotoLine[]
  check_photos: PhotoLine[]
}

export type PhotoName = PhotoCall['call']
export type PhotoCallOf<N extends PhotoName> = Extract<PhotoCall, { call: N }>

/** A picture to keep: the whole one, and a small one for lists. */
export interface Picture {
  original: Uint8Array
  thumbnail: Uint8Array
}

/** From the page to the worker. */
export type PhotoAsked =
  | ({ ask: 'photo_call'; id: number; call: PhotoCall } & Picture)
  | { ask: 'picture'; id: number; wanted: WantedPicture }
  | { ask: 'send_photos'; id: number }

/** From the worker to the page. */
export type PhotoTold =
  | { tell: 'picture'; id: number; bytes: Uint8Array<ArrayBuffer> | null }
  | { tell: 'photo_progress'; progress: PhotoProgress }

export type { PhotoLine, PhotoProgress, PhotoResult, WantedPicture }
