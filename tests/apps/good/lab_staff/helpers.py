raise RuntimeError("a module is not searched further")
