_base_ = './nasbnn-supernet-small_1xb64-12e_imagefolder-32px.py'

model = dict(binarization='standardized')
