// Opens the app, and keeps a copy of it on the phone.

import 'vant/lib/index.css'
import './style.css'

import { createApp } from 'vue'

import App from './App.vue'
import { router } from './router'
import { watchForUpdate } from './update'

createApp(App).use(router).mount('#app')
watchForUpdate()
