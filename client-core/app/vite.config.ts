// Builds the app into `dist`: pages, the worker with the core, and the service worker that opens it with no network.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { parse } from 'smol-toml'
import { defineConfig, type Plugin } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

const MESSAGES = fileURLToPath(new URL('../../schemas/messages.toml', import.meta.url))
/** What of the table a page can say; the rest is for terminals. */
const SAID_HERE = /^(app_|name_|unit_|ruhu_state_|ruhu_rule_)/

/** The words that programs say to people, from the one table of the project, as `virtual:messages`. */
function messages(): Plugin {
  const id = '\0virtual:messages'
  return {
    name: 'ruhu-messages',
    resolveId: (source) => (source === 'virtual:messages' ? id : null),
    load(asked) {
      if (asked !== id) return null
      this.addWatchFile(MESSAGES)
      const table = Object.entries(parse(readFileSync(MESSAGES, 'utf8')))
      const kept = Object.fromEntries(table.filter(([code]) => SAID_HERE.test(code)))
      return `export default ${JSON.stringify(kept)}`
    },
  }
}

/** Vant's icons lie in its style as data; the second place that it names is another company's server. */
function ownIcons(): Plugin {
  return {
    name: 'ruhu-own-icons',
    enforce: 'pre',
    transform: (code, id) =>
      id.endsWith('vant/lib/index.css') ? code.replace(/,url\(\/\/[^)]*\) format\("woff"\)/, '') : null,
  }
}

export default defineConfig({
  plugins: [
    vue(),
    messages(),
    ownIcons(),
    VitePWA({
      registerType: 'prompt',
      injectRegister: false,
      manifest: {
        name: '入户 · 入户排查',
        short_name: '入户',
        lang: 'zh-CN',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        orientation: 'portrait',
        theme_color: '#0b5d4b',
        background_color: '#ffffff',
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
          { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
        ],
      },
      workbox: {
        // Only enrolment reads codes, and it needs the network in any case.
        globIgnores: ['**/zxing_reader*', '**/ponyfill*'],
        globPatterns: ['**/*.{js,css,html,wasm,svg,png,webmanifest}'],
        // The core is one module of several megabytes, and nothing works without it.
        maximumFileSizeToCacheInBytes: 16 * 1024 * 1024,
        navigateFallback: '/index.html',
        navigateFallbackDenylist: [/^\/v1\//, /^\/healthz/, /^\/readyz/],
        cleanupOutdatedCaches: true,
        // The page that installed it goes offline too, before anybody has closed it once.
        clientsClaim: true,
      },
    }),
  ],
  worker: { format: 'es' },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
})
