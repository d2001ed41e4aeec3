"""Syntax tree to syntax tree: functions, rings and what else is said in plainer statements."""
