// A real server with one invented village, in a folder that goes away; and phones: Chromium with a profile each.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { chromium, type BrowserContext, type Page } from 'playwright-core'

import { DIST } from './release'

/** Where the programs lie that the tests of the workspace build. */
export const PROGRAMS = process.env['RUHU_PROGRAMS'] ?? fileURLToPath(new URL('../../../target/debug', import.meta.url))
/** The server as the tests of the workspace build it. */
const SERVER = join(PROGRAMS, 'ruhu-server-under-test')
const RUHU = join(PROGRAMS, 'ruhu-under-test')
export const BROWSER = process.env['RUHU_BROWSER'] ?? '/usr/bin/chromium'
/** As a common phone has it. */
const SCREEN = { width: 390, height: 844 }
export const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

export const PASSPHRASE = '青山 绿水 稻田 炊烟 四个词'

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => found(port))
    })
  })
}

export class World {
  readonly #phones: Phone[] = []
  #server: ChildProcess | null = null
  /** The folder of the app that is served. */
  #app: string

  private constructor(
    readonly folder: string,
    readonly village: string,
    readonly port: number,
    app: string,
  ) {
    this.#app = app
  }

  /** A server that knows one village of so many households. It serves the app as it was built, or another one. */
  static async make(households: number, otherApp?: (folder: string) => string): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'ruhu-app-'))
    const written = execFileSync(join(PROGRAMS, 'examples/write_villages'), [folder, String(households), '1', '0'])
    const village = written.toString().split(/\s/)[0] ?? ''
    const world = new World(folder, village, await freePort(), otherApp ? otherApp(folder) : DIST)
    world.operate(['init', '--name', '试验'])
    const config = 'allow_unissued_area = true\nmetrics_listen = "off"\nattempts_per_minute_max = 100\n'
    writeFileSync(join(world.#data, 'ruhu-server.toml'), config)
    world.operate(['regions', 'import', join(folder, 'regions.csv')])
    world.operate(['roster', 'import', join(folder, 'roster-0.csv'), '--village', village])
    await world.start()
    return world
  }

  get #data(): string {
    return join(this.folder, 'server')
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  operate(args: string[]): string {
    return execFileSync(SERVER, [...args, '--data', this.#data], { stdio: 'pipe' }).toString()
  }

  start(): Promise<void> {
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--app-folder', this.#app, '--data', this.#data]
    const server = spawn(SERVER, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#server = server
    return new Promise((ready, failed) => {
      server.once('exit', () => failed(new Error('the server did not start')))
      server.stdout.once('data', () => ready())
    })
  }

  stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    return new Promise((stopped) => {
      if (!server) return stopped()
      server.removeAllListeners('exit')
      server.once('exit', () => stopped())
      server.kill('SIGKILL')
    })
  }

  /** Another app is put on the server. */
  async release(app: string): Promise<void> {
    await this.stop()
    this.#app = app
    await this.start()
  }

  /** The server is lost and comes back from a backup, without the key that signed: in a new epoch. */
  async restore(by: string): Promise<void> {
    const [backups, config] = [join(this.folder, 'backups'), join(this.#data, 'ruhu-server.toml')]
    this.operate(['backup', backups])
    await this.stop()
    const backup = join(backups, readdirSync(backups)[0] ?? '')
    this.operate(['restore', backup, '--into', join(this.folder, 'restored'), '--by', by, '--signing-key-lost', '--config', config])
    copyFileSync(config, join(this.folder, 'restored', 'ruhu-server.toml'))
    rmSync(this.#data, { recursive: true })
    renameSync(join(this.folder, 'restored'), this.#data)
    await this.start()
  }

  /** The `ruhu` command of another device. */
  ruhu(store: string, args: string[]): string {
    const env = { ...process.env, RUHU_PASSPHRASE: PASSPHRASE, RUHU_STORE: join(this.folder, store), RUHU_LANG: 'zh' }
    return execFileSync(RUHU, args, { stdio: 'pipe', env }).toString()
  }

  /** The link of a new person's invitation. */
  invite(name: string, role: string): string {
    this.operate(['user', 'add', name, '--role', role, '--region', this.village])
    return this.inviteAgain(name)
  }

  /** The link of another invitation of somebody. */
  inviteAgain(name: string): string {
    const said = this.operate(['device', 'invite', name, '--url', this.url])
    return said.split('\n').map((line) => line.trim()).find((line) => line.startsWith('ruhu:enrol?')) ?? ''
  }

  /** A phone with nothing on it, that reaches the server at its own address or through a link. */
  async phone(name: string, url = this.url): Promise<Phone> {
    const phone = new Phone(url, join(this.folder, `phone-${name}`))
    await phone.open()
    this.#phones.push(phone)
    return phone
  }

  /** A phone that is enrolled and has synced once. */
  async enrolled(name: string, role: string, device: string, url = this.url): Promise<Phone> {
    const phone = await this.phone(name, url)
    await phone.enrol(this.invite(name, role).replace('127.0.0.1', new URL(url).hostname), device)
    await phone.sync()
    return phone
  }

  async end(): Promise<void> {
    for (const phone of this.#phones) await phone.close()
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** One browser with a profile of its own, at the size of a phone. */
export class Phone {
  #context: BrowserContext | null = null
  page!: Page
  /** What the page complained about. */
  readonly complaints: string[] = []

  constructor(
    readonly url: string,
    readonly profile: string,
  ) {}

  async open(): Promise<void> {
    this.#context = await chromium.launchPersistentContext(this.profile, {
      executablePath: BROWSER, args: FLAGS, viewport: SCREEN, deviceScaleFactor: 2, hasTouch: true, isMobile: true,
      locale: 'zh-CN', timezoneId: 'Asia/Shanghai',
    })
    this.page = this.#context.pages()[0] ?? (await this.#context.newPage())
    this.page.setDefaultTimeout(15_000)
    this.page.on('pageerror', (error) => this.complaints.push(error.message))
    this.page.on('console', (line) => {
      if (line.type() === 'error' && !line.text().includes('ERR_')) this.complaints.push(line.text())
    })
    await this.page.goto(this.url)
  }

  /** A second tab of the same browser. */
  async tab(): Promise<Page> {
    const page = await this.#context!.newPage()
    await page.goto(this.url)
    return page
  }

  /** Waits until the app is on the phone whole, so that its screens open with no network. */
  async isWhole(): Promise<void> {
    await this.page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  }

  /** The network of the browser is cut, or there again. */
  async offline(cut: boolean): Promise<void> {
    await this.#context!.setOffline(cut)
  }

  /** Where the phone is; before this it may not say. */
  async place(at: { longitude: number; latitude: number; accuracy: number }): Promise<void> {
    await this.#context!.grantPermissions(['geolocation'], { origin: this.url })
    await this.#context!.setGeolocation(at)
  }

  /** The process of the browser is killed, as when the battery is taken out. */
  async kill(): Promise<void> {
    const pids = execFileSync('pgrep', ['-f', '--', `--user-data-dir=${this.profile}`]).toString().trim().split('\n')
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It ended with its parent.
      }
    }
    await this.#context!.close().catch(() => {})
    this.#context = null
  }

  async close(): Promise<void> {
    await this.#context?.close()
    this.#context = null
  }

  get(test: string) {
    return this.page.locator(`[data-test="${test}"]`)
  }

  async choosePassphrase(passphrase = PASSPHRASE): Promise<void> {
    await this.get('passphrase').fill(passphrase)
    await this.get('passphrase-again').fill(passphrase)
    await this.get('unlock').click()
  }

  async enrol(link: string, deviceName: string): Promise<void> {
    await this.choosePassphrase()
    await this.get('enrol-link').fill(link)
    await this.get('device-name').fill(deviceName)
    await this.get('enrol').click()
    await this.page.locator('.van-tabbar').waitFor()
  }

  async unlock(passphrase = PASSPHRASE): Promise<void> {
    await this.get('passphrase').fill(passphrase)
    await this.get('unlock').click()
  }

  async go(path: string): Promise<void> {
    await this.page.evaluate((hash) => (location.hash = hash), `#${path}`)
  }

  async sync(): Promise<void> {
    await this.go('/sync')
    await this.get('sync').click()
    await this.get('sync-done').waitFor()
  }

  /** Opens a household by the order of the village list. */
  async household(index: number): Promise<void> {
    await this.go('/village')
    await this.get('household').nth(index).click()
    await this.get('check').waitFor()
  }

  /** Begins a check of the household that is shown, or goes on with it. */
  async check(): Promise<void> {
    await this.get('check').click()
    await this.get('step').waitFor()
  }

  /** A question of the screen that is shown. */
  question(name: string) {
    return this.page.locator(`[data-question="${name}"]`)
  }

  /** Waits until a question has an answer that is stored. */
  async kept(name: string): Promise<void> {
    await this.question(name).locator('[data-test="kept"]').waitFor()
  }

  /** Types an answer. */
  async type(name: string, text: string): Promise<void> {
    await this.question(name).locator('input, textarea').first().fill(text)
    await this.question(name).locator('input, textarea').first().blur()
    await this.kept(name)
  }

  /** Taps a choice, the first where none is named; in the list of its own where there are many. */
  async choose(name: string, code: string | null): Promise<void> {
    const choice = code === null ? '[data-choice]' : `[data-choice="${code}"]`
    const list = this.question(name).locator('[data-test="open-list"]')
    if (await list.count()) {
      await list.click()
      const choices = this.page.locator('.choices:visible')
      await choices.locator(choice).first().click()
      const done = choices.locator('[data-test="list-done"]')
      if (await done.count()) await done.click()
      await choices.waitFor({ state: 'hidden' })
    } else await this.question(name).locator(choice).first().click()
    await this.kept(name)
  }

  /** Goes to the first screen whose name begins so: `income/earned`, `members/health@`. */
  async toPage(name: string): Promise<void> {
    await this.get('steps').click()
    const line = this.page.locator(`.steps [data-page^="${name}"]`).first()
    const title = (await line.locator('span').first().innerText()).trim()
    await line.click()
    await this.page.locator('.steps').waitFor({ state: 'hidden' })
    await this.get('step').filter({ hasText: title }).waitFor()
  }

  /** Writes another name for the first member of the household that is shown. */
  async editName(text: string, reason: string): Promise<void> {
    await this.get('member').first().click()
    await this.get('edit-name').click()
    await this.get('edit-text').fill(text)
    await this.get('edit-reason').fill(reason)
    await this.get('edit-save').click()
    await this.get('edit-text').waitFor({ state: 'hidden' })
  }
}
