import { defineAsyncComponent, h, type Component } from 'vue'
import { startPage } from '@/lib/start'

// The pages for desks: the wall board, one number's live page, home and sign-in.

function pageAt(path: string): { page: Component; props: Record<string, string>; open: boolean } {
  if (path.startsWith('/sign-in')) {
    return { page: defineAsyncComponent(() => import('@/home/SignIn.vue')), props: {}, open: true }
  }
  if (path.startsWith('/o/')) {
    const number = decodeURIComponent(path.slice(3).replace(/\/$/, ''))
    return { page: defineAsyncComponent(() => import('@/order/OrderPage.vue')), props: { number }, open: false }
  }
  if (path.startsWith('/board')) {
    return { page: defineAsyncComponent(() => import('./BoardPage.vue')), props: {}, open: false }
  }
  return { page: defineAsyncComponent(() => import('@/home/HomePage.vue')), props: {}, open: false }
}

const { page, props, open } = pageAt(location.pathname)
void startPage({ render: () => h(page, props) }, { live: !open, site: !open })
