import type { Bar, Model } from './model'
import type { View } from './view'

// Mouse, pen and touch: drag pans, wheel scrolls, Ctrl-wheel zooms, a tap chooses.

export interface PointerHost {
  model: () => Model
  view: () => View
  redraw: () => void
  hover: (bar: Bar | null, x: number, y: number) => void
  choose: (bar: Bar | null) => void
}

const TAP_PX = 4

export function attachPointer(canvas: HTMLElement, host: PointerHost): () => void {
  const down = new Map<number, { x: number; y: number }>()
  let moved = 0

  function barAt(event: PointerEvent): Bar | null {
    const view = host.view()
    const row = view.rowAt(event.offsetY)
    return row < 0 ? null : (host.model().at(row, view.timeAt(event.offsetX)) ?? null)
  }

  function onDown(event: PointerEvent): void {
    down.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
    canvas.setPointerCapture(event.pointerId)
    moved = 0
  }

  function pinch(event: PointerEvent, before: { x: number; y: number }): void {
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1]
    if (!other) return
    const was = Math.hypot(before.x - other.x, before.y - other.y)
    const is = Math.hypot(event.offsetX - other.x, event.offsetY - other.y)
    if (was > 0) host.view().zoom(is / was, (event.offsetX + other.x) / 2)
  }

  function onMove(event: PointerEvent): void {
    const before = down.get(event.pointerId)
    if (!before) return host.hover(barAt(event), event.offsetX, event.offsetY)
    const [dx, dy] = [event.offsetX - before.x, event.offsetY - before.y]
    moved += Math.abs(dx) + Math.abs(dy)
    if (down.size > 1) pinch(event, before)
    else if (moved > TAP_PX) host.view().pan(dx, dy)
    down.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
    host.redraw()
  }

  function onUp(event: PointerEvent): void {
    down.delete(event.pointerId)
    if (moved <= TAP_PX) host.choose(barAt(event))
  }

  function onWheel(event: WheelEvent): void {
    event.preventDefault()
    if (event.ctrlKey) host.view().zoom(Math.exp(-event.deltaY / 300), event.offsetX)
    else if (event.shiftKey) host.view().pan(-event.deltaY, 0)
    else host.view().pan(-event.deltaX, -event.deltaY)
    host.redraw()
  }

  const leave = () => host.hover(null, 0, 0)
  canvas.addEventListener('pointerdown', onDown)
  canvas.addEventListener('pointermove', onMove)
  canvas.addEventListener('pointerup', onUp)
  canvas.addEventListener('pointercancel', onUp)
  canvas.addEventListener('pointerleave', leave)
  canvas.addEventListener('wheel', onWheel, { passive: false })
  return () => {
    canvas.removeEventListener('pointerdown', onDown)
    canvas.removeEventListener('pointermove', onMove)
    canvas.removeEventListener('pointerup', onUp)
    canvas.removeEventListener('pointercancel', onUp)
    canvas.removeEventListener('pointerleave', leave)
    canvas.removeEventListener('wheel', onWheel)
  }
}
