// Releases of the app: copies of what was built, in which something differs.

import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The app as it was built; a measurement may name an earlier one to compare with. */
export const DIST = process.env['RUHU_APP'] ?? fileURLToPath(new URL('../dist', import.meta.url))

/** A copy of the app in a folder of its own. */
export class Release {
  private constructor(readonly folder: string) {}

  static copy(folder: string): Release {
    cpSync(DIST, folder, { recursive: true })
    return new Release(folder)
  }

  /** Rewrites a file; what was packed of it is gone. */
  rewrite(name: string, change: (text: string) => string): void {
    for (const packed of ['.br', '.gz']) rmSync(join(this.folder, name + packed), { force: true })
    writeFileSync(join(this.folder, name), change(readFileSync(join(this.folder, name), 'utf8')))
  }

  /** The name of a built file that begins so. */
  built(beginning: string): string {
    const found = readdirSync(join(this.folder, 'assets')).find((name) => name.startsWith(beginning) && /\.(js|wasm)$/.test(name))
    if (!found) throw new Error(`the app has no assets/${beginning}`)
    return `assets/${found}`
  }

  /** Its page differs from the one that was built, and so the list of what a phone keeps of it. */
  withNewPage(): this {
    this.rewrite('index.html', (text) => text.replace('</head>', '<meta name="release" content="newer"></head>'))
    this.rewrite('sw.js', (text) => text.replace(/(url:"index.html",revision:")[0-9a-f]+/, '$1newer'))
    return this
  }
}
