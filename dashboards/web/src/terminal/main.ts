import { h } from 'vue'
import { startPage } from '@/lib/start'
import TerminalHome from './TerminalHome.vue'
import TerminalPage from './TerminalPage.vue'

const unit = decodeURIComponent(location.pathname.replace(/^\/terminal\/?/, '').replace(/\/.*$/, ''))

async function keepShell(): Promise<void> {
  if ('serviceWorker' in navigator) await navigator.serviceWorker.register('/sw.js', { scope: '/terminal/' })
}

void startPage({ render: () => (unit ? h(TerminalPage, { unit }) : h(TerminalHome)) }, { texts: ['terminal'] })
if (import.meta.env.PROD) void keepShell()
