declare module 'virtual:messages' {
  const messages: Record<string, { zh: string; en: string }>
  export default messages
}
