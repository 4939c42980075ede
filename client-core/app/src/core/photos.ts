// Photos by way of the core: into a draft, out as addresses that an image can show, and off to the server.

import { askWorker, photoProgress } from './core'
import type {
  PhotoAnswers,
  PhotoCallOf,
  PhotoName,
  PhotoResult,
  Picture,
  WantedPicture,
} from './photo-protocol'

const NO_PICTURE: Picture = { original: new Uint8Array(), thumbnail: new Uint8Array() }

/** Asks the core about photos; a picture to take goes with it. */
export const askPhotos = <N extends PhotoName>(call: PhotoCallOf<N>, picture = NO_PICTURE): Promise<PhotoAnswers[N]> =>
  askWorker((id) => ({ ask: 'photo_call', id, call: { ...call }, ...picture }))

/** An address of a picture for an image, to be revoked when it is gone from the page; null when it is not here. */
export async function pictureUrl(wanted: WantedPicture): Promise<string | null> {
  const bytes = await askWorker<Uint8Array<ArrayBuffer> | null>((id) => ({ ask: 'picture', id, wanted: { ...wanted } }))
  return bytes === null ? null : URL.createObjectURL(new Blob([bytes]))
}

/** Sends what waits, after a sync. */
export async function sendPhotos(): Promise<PhotoResult> {
  photoProgress.value = null
  try {
    return await askWorker<PhotoResult>((id) => ({ ask: 'send_photos', id }))
  } finally {
    photoProgress.value = null
  }
}
