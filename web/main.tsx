import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import { App } from './app.tsx'
import { setTheme, storedTheme } from './lib/theme.ts'
import './style.css'

setTheme(storedTheme())
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
