import package.tool

print(package.tool.NAME)
