"""Estimators with scikit-learn's interface: `MLPClassifier` and `MLPRegressor`.

They take what scikit-learn's classes of these names take, mean the same by it, and train in one
compiled engine; and they take more: any activation, cost and optimizer of this library, weights of
classes, dropout, several networks. Needs the extra ``sklearn``.

>>> from sklearn.datasets import load_iris
>>> from fastnn.estimators import MLPClassifier
>>> X, y = load_iris(return_X_y=True)
>>> MLPClassifier(solver="lbfgs", max_iter=500, random_state=0).fit(X, y).score(X, y) > 0.95
True
"""

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
