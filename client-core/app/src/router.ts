// The screens and their addresses. Addresses lie behind a hash: the server has one page.

import { ref } from 'vue'
import { createRouter, createWebHashHistory } from 'vue-router'

import { lastPlace, rememberPlace } from './place'
import { session } from './session'

const HouseholdScreen = () => import('./screens/HouseholdScreen.vue')
const CheckScreen = () => import('./screens/CheckScreen.vue')

/** The screens of a visit are fetched while nobody waits: the first household opens like those after it. */
export const fetchAhead = (): void => void Promise.all([HouseholdScreen(), CheckScreen()]).catch(() => {})

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', component: () => import('./screens/TodayScreen.vue'), meta: { tab: 'today' } },
    { path: '/village', component: () => import('./screens/VillageScreen.vue'), meta: { tab: 'village' } },
    { path: '/conflicts', component: () => import('./screens/ConflictsScreen.vue'), meta: { tab: 'conflicts' } },
    { path: '/sync', component: () => import('./screens/SyncScreen.vue'), meta: { tab: 'sync' } },
    { path: '/settings', component: () => import('./screens/SettingsScreen.vue'), meta: { tab: 'settings' } },
    { path: '/enrol', component: () => import('./screens/EnrolScreen.vue'), props: { again: true } },
    { path: '/overview', component: () => import('./screens/OverviewScreen.vue') },
    { path: '/new-household', component: () => import('./screens/NewHouseholdScreen.vue') },
    { path: '/household/:id', component: HouseholdScreen, props: true },
    { path: '/household/:id/history', component: () => import('./screens/HistoryScreen.vue'), props: true },
    { path: '/check/:id/review', component: () => import('./screens/ReviewScreen.vue'), props: true },
    { path: '/check/:id/read', component: () => import('./screens/CheckPageScreen.vue'), props: true },
    { path: '/check/:id/:page?', name: 'check', component: CheckScreen, props: true },
    { path: '/:rest(.*)', redirect: '/' },
  ],
  scrollBehavior: () => ({ top: 0 }),
})

/** Whether the last screen could not be fetched: the app is not on this phone whole yet, and there is no network. */
export const screenLacks = ref(false)
router.onError(() => {
  screenLacks.value = true
})

router.afterEach((to) => {
  screenLacks.value = false
  // Before the person is at work, there is no place yet; the address is the browser's own.
  if (session.phase !== 'ready') return
  const before = lastPlace()
  rememberPlace({ path: to.fullPath, question: before?.path === to.fullPath ? before.question : '' })
})
