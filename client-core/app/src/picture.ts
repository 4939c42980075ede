// A picture from the camera, made small enough to send: encoded anew, so that it tells neither position nor time.

import type { Picture } from './core/photo-protocol'

/** Pixels of the longer side. */
const SIDE = 1_600
/** Bytes of a picture that is still sent over a weak link without a thought. */
const BYTES_MAX = 300 * 1024
/** Pixels of the longer side of a thumbnail. */
const THUMBNAIL_SIDE = 160
/** Bytes that a thumbnail may have. */
const THUMBNAIL_BYTES_MAX = 16 * 1024
/** Of JPEG, tried from the first on. */
const QUALITIES = [0.85, 0.75, 0.65, 0.55, 0.45]
/** How much smaller a picture becomes that is too large at every quality. */
const SMALLER = 0.8

export const toBlob = (canvas: HTMLCanvasElement, type: string, quality?: number): Promise<Blob> =>
  new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error('the picture cannot be encoded'))), type, quality)
  })

export const bytesOf = async (blob: Blob): Promise<Uint8Array> => new Uint8Array(await blob.arrayBuffer())

function drawn(picture: ImageBitmap, side: number): HTMLCanvasElement {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(picture.width * scale))
  canvas.height = Math.max(1, Math.round(picture.height * scale))
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height)
  return canvas
}

/** The picture as a JPEG of at most so many bytes, as large and as good as that allows. */
async function encoded(picture: ImageBitmap, side: number, bytesMax: number): Promise<Uint8Array> {
  const canvas = drawn(picture, side)
  for (const quality of QUALITIES) {
    const blob = await toBlob(canvas, 'image/jpeg', quality)
    if (blob.size <= bytesMax) return bytesOf(blob)
  }
  return encoded(picture, side * SMALLER, bytesMax)
}

/** What the camera gave, small enough, with a thumbnail. */
export async function prepared(file: Blob): Promise<Picture> {
  // The way the phone was held is in the file that is not kept.
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' })
  try {
    const original = await encoded(picture, SIDE, BYTES_MAX)
    return { original, thumbnail: await encoded(picture, THUMBNAIL_SIDE, THUMBNAIL_BYTES_MAX) }
  } finally {
    picture.close()
  }
}
