// A link in front of a server that breaks when it is told to: inside the next sync request, and for good until it is mended.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Bytes of the request that do not arrive. */
const LOST_BYTES = 8

type State = 'whole' | 'breaks' | 'gone'

export class BreakingLink {
  #state: State = 'whole'

  private constructor(
    readonly url: string,
    readonly listener: Server,
  ) {}

  /** A link to the server on a port of this machine. */
  static to(port: number): Promise<BreakingLink> {
    return new Promise((ready) => {
      let link: BreakingLink
      const listener = createServer((phone) => link.#carry(phone, port))
      listener.listen(0, '127.0.0.1', () => {
        link = new BreakingLink(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`, listener)
        ready(link)
      })
    })
  }

  /** Breaks inside the next sync request. */
  breakNext(): void {
    this.#state = 'breaks'
  }

  /** Whether it is broken. */
  get isGone(): boolean {
    return this.#state === 'gone'
  }

  mend(): void {
    this.#state = 'whole'
  }

  #carry(phone: Socket, port: number): void {
    phone.on('error', () => {})
    if (this.#state === 'gone') return void phone.destroy()
    const server = connect(port, '127.0.0.1')
    server.on('error', () => phone.destroy())
    server.on('close', () => phone.destroy())
    phone.on('close', () => server.destroy())
    server.pipe(phone)
    let request = Buffer.alloc(0)
    phone.on('data', (bytes) => {
      if (this.#state === 'gone') return void phone.destroy()
      if (this.#state === 'whole') return void server.write(bytes)
      request = Buffer.concat([request, bytes])
      const body = request.indexOf('\r\n\r\n') + 4
      if (body < 4) return
      const head = request.subarray(0, body).toString('latin1')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (request.length < body + length) return
      const isSync = head.startsWith('POST /v1/sync ')
      if (!isSync) {
        server.write(request)
        request = Buffer.alloc(0)
        return
      }
      this.#state = 'gone'
      server.end(request.subarray(0, body + length - LOST_BYTES))
    })
  }
}
