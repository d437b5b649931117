import { ref } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
const KEPT = 'lineside.theme'

export const theme = ref<Theme>('system')

export function useTheme(next: Theme): void {
  theme.value = next
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
  localStorage.setItem(KEPT, next)
}

export function startTheme(): void {
  const kept = localStorage.getItem(KEPT)
  useTheme(kept === 'light' || kept === 'dark' ? kept : 'system')
}
