"""The store surgeon: what is in a store, what is wrong there, what an edit would cause."""

from fixlab.surgeon._inspection import Inspection, inspect
from fixlab.surgeon._plan import EditPlan, plan_edit

__all__ = ["EditPlan", "Inspection", "inspect", "plan_edit"]
