/// <reference types="vite/client" />

declare module 'virtual:zh-TW' {
  const texts: Record<string, unknown>
  export default texts
}
