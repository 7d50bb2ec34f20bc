"""The door of a shared dashboard: who comes in tells a code once, and carries a signed pass from then on."""
