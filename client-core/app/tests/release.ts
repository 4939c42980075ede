// Releases of the app: copies of what was built, in which something differs.

import { createHash } from 'node:crypto'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The app as it was built; a measurement may name an earlier one to compare with. */
export const DIST = process.env['RUHU_APP'] ?? fileURLToPath(new URL('../dist', import.meta.url))

const FORMS = new URL('../../../schemas/forms/', import.meta.url)

/** A form as it lies in the repository. */
export const formOf = (file: string): Form => JSON.parse(readFileSync(new URL(file, FORMS), 'utf8')) as Form

/** What the tests change of a form. */
export interface Form {
  version: string
  sections: { key: string; groups: { key: string; questions: Record<string, unknown>[] }[] }[]
}

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

  /**
   * Another form in the place of one that the core carries: its text lies in the module as `schemas/forms` has it, and
   * is read when the form is asked for.
   */
  withForm(file: string, form: object): this {
    const name = this.built('ruhu_bg-')
    const module = readFileSync(join(this.folder, name))
    const carried = readFileSync(new URL(file, FORMS))
    const other = Buffer.from(JSON.stringify(form))
    const at = module.indexOf(carried)
    if (at < 0 || module.indexOf(carried, at + 1) >= 0 || other.length > carried.length) {
      throw new Error(`${file} does not stand in ${name} once, or is too short`)
    }
    module.fill(' ', at, at + carried.length)
    other.copy(module, at)
    for (const packed of ['.br', '.gz']) rmSync(join(this.folder, name + packed), { force: true })
    writeFileSync(join(this.folder, name), module)
    const revision = createHash('sha256').update(module).digest('hex')
    this.rewrite('sw.js', (text) => text.replace(`{url:"${name}",revision:null}`, `{url:"${name}",revision:"${revision}"}`))
    return this
  }

  /** Its page differs from the one that was built, and so the list of what a phone keeps of it. */
  withNewPage(): this {
    this.rewrite('index.html', (text) => text.replace('</head>', '<meta name="release" content="newer"></head>'))
    this.rewrite('sw.js', (text) => text.replace(/(url:"index.html",revision:")[0-9a-f]+/, '$1newer'))
    return this
  }
}
