module = {"access": "teacher"}
