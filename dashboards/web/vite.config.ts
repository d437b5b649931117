import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { serviceWorker } from './plugins/serviceworker.ts'
import { texts } from './plugins/texts.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const server = process.env.LINESIDE_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), texts(), serviceWorker()],
  resolve: { alias: { '@': here('./src') } },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'true',
  },
  build: {
    outDir: process.env.LINESIDE_WEB_OUT ?? here('../static'),
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: 'chrome123',
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        chunkFileNames: ({ facadeModuleId: id }) =>
          id?.includes('virtual:texts/') ? `assets/words-${id.split('/').slice(1).join('-')}-[hash].js` : 'assets/[name]-[hash].js',
      },
      input: {
        terminal: here('./terminal.html'),
        planner: here('./planner.html'),
        board: here('./board.html'),
      },
    },
  },
  server: { proxy: { '/api': server } },
  test: { environment: 'node', include: ['src/**/*.test.ts'], testTimeout: 60_000 },
})
