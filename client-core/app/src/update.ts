// The service worker: the app opens with no network, and a newer one waits until the person agrees.

import { ref } from 'vue'
import { registerSW } from 'virtual:pwa-register'

/** Whether the app is on this phone, so that it opens with no network. */
export const offlineReady = ref(false)
/** Whether a newer app waits. */
export const updateWaits = ref(false)

let takeUpdate: ((reload?: boolean) => Promise<void>) | null = null

export function watchForUpdate(): void {
  takeUpdate = registerSW({
    immediate: true,
    onOfflineReady: () => (offlineReady.value = true),
    onNeedRefresh: () => (updateWaits.value = true),
  })
  void navigator.serviceWorker?.ready.then(() => (offlineReady.value = true))
}

/** Takes the newer app. Drafts lie in the store, so nothing is lost. */
export async function update(): Promise<void> {
  // The plugin reloads only pages that had a service worker when they began; the first page of a phone had none.
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  await takeUpdate?.()
}
