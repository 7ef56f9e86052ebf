# The program that boots in a Python environment. It is compiled anew at every
# start, so everything is in a package, whose compiled form lies beside it.
if __name__ == "__main__":
    from hearth_runtime.start import main

    main()
