// Packs the built files once, so that the server can give them packed without packing anything itself.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const FOLDER = new URL('./dist', import.meta.url).pathname
const PACKED = /\.(js|css|html|wasm|svg|webmanifest)$/

for (const name of readdirSync(FOLDER, { recursive: true })) {
  if (!PACKED.test(name)) continue
  const bytes = readFileSync(join(FOLDER, name))
  // The highest quality takes half a minute for the module and saves a tenth.
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  writeFileSync(join(FOLDER, `${name}.br`), brotliCompressSync(bytes, { params: quality }))
  writeFileSync(join(FOLDER, `${name}.gz`), gzipSync(bytes, { level: 9 }))
}
