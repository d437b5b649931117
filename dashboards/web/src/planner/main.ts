import { startPage } from '@/lib/start'
import PlannerPage from './PlannerPage.vue'

void startPage(PlannerPage)
