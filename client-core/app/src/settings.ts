// What a person chose on this phone: nothing of it is about a household, so it lies in clear.

import { reactive, watchEffect } from 'vue'

export type Lang = 'zh' | 'en'
export type TypeSize = 'normal' | 'large'

interface Settings {
  lang: Lang
  size: TypeSize
  village: string
}

const KEY = 'ruhu.settings'

function stored(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>
  } catch {
    return {}
  }
}

const found = stored()

export const settings = reactive<Settings>({
  lang: found.lang === 'en' ? 'en' : 'zh',
  size: found.size === 'large' ? 'large' : 'normal',
  village: typeof found.village === 'string' ? found.village : '',
})

watchEffect(() => {
  localStorage.setItem(KEY, JSON.stringify(settings))
  document.documentElement.lang = settings.lang === 'zh' ? 'zh-CN' : 'en'
  document.documentElement.dataset.size = settings.size
})
