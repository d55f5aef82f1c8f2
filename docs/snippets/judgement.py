import plait

loans = plait.samples.loans(n=2000, seed=0)
train, test = plait.split(loans, time="issued_at")
model = plait.Classifier(fusion="early", time="issued_at", random_state=0)
model.fit(train.drop(columns="default"), train["default"])
model.calibrate(method="auto")  # chosen on training rows that the model had not seen

why = model.explain(test.head(2))  # by source, by column, inside the cells
print(*why.to_text("en"), sep="\n")
print(model.importance(test, test["default"]))
print(*model.counterfactuals(test.head(2), train, goal=0.3, fixed=["region"]), sep="\n")

early, late = plait.split(test, time="issued_at", test=0.5)
model.conformalize(early, early["default"], coverage=0.9)
print(model.predict_set(late)[:3])  # the classes that remain possible
