import { watchEffect } from 'vue'

/** Says in the browser's tab what the page shows, first of all: many tabs are narrow. */
export function useTabTitle(name: () => string): void {
  watchEffect(() => {
    document.title = `${name()} · Lineside`
  })
}
