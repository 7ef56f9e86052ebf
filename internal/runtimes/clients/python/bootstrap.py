# The program that boots in a Python environment. It is compiled anew at every
# start, so everything is in a module, whose compiled form lies beside it.
if __name__ == "__main__":
    import hearth_runtime

    hearth_runtime.main()
